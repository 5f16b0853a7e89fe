"""Settings of export-service."""

from pydantic import Field

from intervai_shared.settings import RateRule
from intervai_shared.storage import StorageSettings


class ExportSettings(StorageSettings):
    """What only export-service knows."""

    service: str = "export-service"
    mongo_database: str = "intervai_export"
    s3_bucket: str = "intervai-exports"
    export_url_ttl_seconds: int = Field(3600, ge=1, le=7 * 86_400, description="How long a signed URL works.")
    export_threads: int = Field(4, ge=1, description="Exports at a time in one worker process.")
    render_processes: int = Field(1, ge=1, description="Files rendered at a time in one worker process.")
    render_seconds: float = Field(30.0, gt=0, description="What rendering one file may take.")
    queue_limit_exports: int = Field(1000, ge=1, description="Exports that wait; past it new ones are refused (503).")
    rate_limit_exports: RateRule = Field("5/10 minutes", description="Exports, a person.")
