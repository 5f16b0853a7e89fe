"""How long the file of an export is there."""

from datetime import timedelta

from intervai_shared.models import Document, utc_now

IN_WORK = ("queued", "running")


def is_expired(export: Document, lifetime: timedelta) -> bool:
    """Whether its file was made longer ago than files are kept."""
    return bool(export["status"] == "succeeded" and export["finishedAt"] + lifetime <= utc_now())


def is_live(export: Document, lifetime: timedelta) -> bool:
    """Whether there is its file, or will be."""
    return export["status"] in IN_WORK or (export["status"] == "succeeded" and not is_expired(export, lifetime))
