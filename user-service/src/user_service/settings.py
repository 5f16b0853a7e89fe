"""Settings of user-service."""

from pydantic import Field

from intervai_shared.settings import ServiceSettings


class UserSettings(ServiceSettings):
    """What only user-service knows."""

    service: str = "user-service"
    mongo_database: str = "intervai_user"
    profile_cache_seconds: int = Field(3600, ge=1)
    profile_wait_seconds: float = Field(
        3.0, ge=0, description="How long a request waits for the profile of an account that was made a moment ago."
    )
