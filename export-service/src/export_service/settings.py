"""Settings of export-service."""

from pydantic import Field

from intervai_shared.settings import RateRule
from intervai_shared.signing import SigningSettings
from intervai_shared.storage import StorageSettings


class ExportSettings(SigningSettings, StorageSettings):
    """What only export-service knows."""

    service: str = "export-service"
    mongo_database: str = "intervai_export"
    s3_bucket: str = "intervai-exports"
    export_url_ttl_seconds: int = Field(3600, ge=1, le=7 * 86_400, description="How long a signed URL works.")
    export_threads: int = Field(4, ge=1, description="Exports at a time in one worker process.")
    render_processes: int = Field(1, ge=1, description="Files rendered at a time in one worker process.")
    render_seconds: float = Field(60.0, gt=0, description="What rendering one file may take.")
    render_memory_mb: int = Field(
        2048, ge=256, description="Address space of a rendering process, MiB; a larger session fails with a reason."
    )
    queue_limit_exports: int = Field(1000, ge=1, description="Exports that wait; past it new ones are refused (503).")
    rate_limit_exports: RateRule = Field("5/10 minutes", description="Exports, a person.")
    exports_stored_limit: int = Field(50, ge=1, description="Exports in work or ready, a person; past it 409.")
    export_days: int = Field(7, ge=1, description="How long the file of an export is kept.")
