"""Settings of user-service."""

from pydantic import Field

from intervai_shared.settings import RateRule
from intervai_shared.signing import SigningSettings
from intervai_shared.storage import StorageSettings


class UserSettings(SigningSettings, StorageSettings):
    """What only user-service knows."""

    service: str = "user-service"
    mongo_database: str = "intervai_user"
    s3_bucket: str = "intervai-exports"
    data_file_days: int = Field(7, ge=1, description="How long a file with all data of a person is kept.")
    data_file_url_seconds: int = Field(3600, ge=1, le=7 * 86_400, description="How long its signed URL works.")
    rate_limit_data_files: RateRule = Field("5/day", description="Files with all one's data, a person.")
    profile_cache_seconds: int = Field(3600, ge=1)
    profile_wait_seconds: float = Field(
        3.0, ge=0, description="How long a request waits for the profile of an account that was made a moment ago."
    )
    notifications_kept: int = Field(100, ge=1, le=1000, description="Of a person; older ones go.")
    notification_streams: int = Field(10, ge=1, description="Streams of one person at a time in one process.")
    avatar_max_bytes: int = Field(2 * 1_048_576, ge=1)
    avatar_upload_seconds: int = Field(300, ge=1, le=1800, description="How long the form of an upload works.")
    avatar_url_ttl_seconds: int = Field(3600, ge=1, le=7 * 86_400, description="How long the URL of an avatar works.")
    rate_limit_avatars: RateRule = Field("20/hour", description="Uploads of avatars, a person.")
