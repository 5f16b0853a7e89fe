"""Takes a backup while the suite runs."""

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from intervai_backup.bucket import Bucket
from intervai_backup.databases import FOLDER, Client, connect, dump
from intervai_backup.disk_set import DiskSet
from intervai_backup.files import new_folder
from intervai_backup.manifest import BucketFacts, DatabaseFacts, Manifest
from intervai_backup.report import say, say_content
from intervai_backup.revive import ready_exports
from intervai_backup.settings import SERVICES, BackupSettings
from intervai_shared.models import utc_now


def take(settings: BackupSettings, folder: Path) -> Manifest:
    """Writes a backup to `folder`, which exists only when the backup is whole.

    Raises:
        BackupError: the folder exists, or a database could not be read in one snapshot.
        pymongo.errors.PyMongoError, botocore.exceptions.BotoCoreError, ClientError, OSError: a part or the disk.
    """
    with new_folder(folder) as draft, connect(settings) as client:
        started_at = utc_now()
        (draft / FOLDER).mkdir(mode=0o700)
        databases = {service: dump(client[settings.database(service)], draft) for service in SERVICES}
        bucket = _dump_bucket(settings, draft, databases)
        manifest = Manifest(
            tool=f"intervai-backup {version('intervai-backup')}",
            server=_server(client),
            started_at=started_at,
            finished_at=utc_now(),
            key_fingerprint=settings.key_fingerprint(),
            databases=databases,
            bucket=bucket,
        )
        manifest.write(draft)
    return manifest


def _dump_bucket(settings: BackupSettings, draft: Path, databases: dict[str, DatabaseFacts]) -> BucketFacts:
    """After the databases: every object that a record names was there when the record was read, so what is missing
    now has been deleted since."""
    with DiskSet() as copied:
        facts = Bucket(settings).dump(draft, copied)
        say_content(f"s3://{facts.name}", facts, "objects")
        made_after = utc_now() - timedelta(days=settings.export_days)
        ready = ready_exports(draft, databases, made_after)
        missing = [export_id for export_id, key in ready if key not in copied]
    if missing:
        say(f"{len(missing):,} exports have no file any more; a restore has them made again")
    return facts.model_copy(update={"exports_without_file": missing})


def _server(client: Client) -> str:
    build = client.server_info()
    name = client.admin.command("hello").get("setName", "standalone")
    return f"{build['version']} ({name})"
