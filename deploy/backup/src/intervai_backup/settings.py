"""Settings, under the names that the services know (12-factor)."""

import hmac

from pydantic import Field, SecretStr, ValidationError

from intervai_backup.errors import BackupError
from intervai_shared.settings import ProcessSettings

#: The services, by the names of their databases without the prefix, in the order in which they are read. A service
#: that takes events or ids from another comes before it, so that nothing refers to what is not in the backup: profiles
#: before accounts, exports before interview sessions. What was sent meanwhile is sent again: see `revive`.
SERVICES = ("user", "export", "qa", "auth")
#: A collection with one document `{_id: "restore", backup, startedAt}` in a database that a restore is at work on, or
#: was when it was interrupted. Services do not start on it, and it is not backed up.
MARKER = "half_restored"


class BackupSettings(ProcessSettings):
    """Where the data is. The Mongo user needs `readWrite` on each database, for a backup `read`."""

    service: str = Field("intervai-backup", frozen=True)
    redis_timeout_seconds: float = Field(10.0, gt=0)
    mongo_uri: SecretStr
    mongo_database_prefix: str = Field("intervai_", description="A database's name is the prefix and its service.")
    s3_endpoint: str | None = Field(None, description="None: AWS itself.")
    s3_bucket: str
    export_days: int = Field(7, ge=1, description="How long export-service keeps files: its EXPORT_DAYS.")
    aws_region: str = "us-east-1"
    aws_access_key_id: SecretStr | None = Field(None, description="None: the machine's role.")
    aws_secret_access_key: SecretStr | None = None
    key_encryption_key: SecretStr | None = Field(
        None, description="Only its fingerprint is kept, so that a restore can tell whether it has the same key."
    )

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return f"{self.mongo_database_prefix}{service}"

    def key_fingerprint(self) -> str | None:
        """16 hex digits that tell two keys apart; the key has 256 random bits, so they tell nothing else."""
        if self.key_encryption_key is None:
            return None
        key = self.key_encryption_key.get_secret_value().encode()
        return hmac.digest(key, b"intervai backup: which key", "sha256").hex()[:16]


def load_settings() -> BackupSettings:
    """From the environment. Raises BackupError, which names each wrong variable and never its value."""
    try:
        return BackupSettings()
    except ValidationError as error:
        wrong = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
        raise BackupError(f"wrong settings: {wrong}") from error
