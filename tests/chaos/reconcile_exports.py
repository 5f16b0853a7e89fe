"""Checks of exports and their files."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.ledger import ACCEPTED, UNKNOWN, Ledger, Request
from tests.chaos.reconcile_findings import DOUBLED, LOST, ORPHAN, STUCK, Finding, once
from tests.chaos.snapshot import UNFINISHED, Document, Snapshot


def exports(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each accepted export is one ready file, unless it or its session was deleted; no file is without export."""
    records = {str(export["_id"]): export for export in found.of("export", "exports")}
    known = set()
    for request in ledger.of("start export", outcome=ACCEPTED):
        known.add(request.id)
        own = [records[request.id]] if request.id in records else []
        fate = ledger.fate("delete export", request.id)
        yield from once(request.outcome, own, request.id, "the export", fate)
        for export in own:
            yield from _ended(export, request, fate, ledger)
    yield from _unasked(ledger, records, known)
    for name, export in records.items():
        yield from _file(name, export, found)
    wanted = {_key(export) for export in records.values()}
    for key in found.objects.keys() - wanted:
        yield Finding(ORPHAN, key, "a file without an export")


def _key(export: Document) -> str:
    folder = f"{export['contentHash']}/" if "contentHash" in export else ""
    return f"exports/{folder}{export['_id']}.{export['format']}"


def _ended(export: Document, request: Request, fate: str | None, ledger: Ledger) -> Iterator[Finding]:
    is_free = ledger.fate("delete session", str(request.subject)) is not None
    if export["status"] in {"failed", "cancelled"} and fate is None and not is_free:
        yield Finding(LOST, request.id, f"the export is {export['status']}: {export['error']}")


def _unasked(ledger: Ledger, records: dict[str, Document], known: set[str]) -> Iterator[Finding]:
    spare = Counter(
        (request.subject, request.wanted["format"]) for request in ledger.of("start export", outcome=UNKNOWN)
    )
    for name in records.keys() - known:
        place = (str(records[name]["session"]), records[name]["format"])
        spare[place] -= 1
        if spare[place] < 0:
            yield Finding(DOUBLED, name, f"an export of session {place[0]} that nobody asked for")


def _file(name: str, export: Document, found: Snapshot) -> Iterator[Finding]:
    if export["status"] in UNFINISHED:
        yield Finding(STUCK, name, f"the export is {export['status']} since attempt {export['attempt']}")
    size = found.objects.get(_key(export))
    if export["status"] != "succeeded":
        if size is not None and export["status"] not in UNFINISHED:
            yield Finding(ORPHAN, name, f"the file of an export that is {export['status']}")
        return
    if size != export["sizeBytes"]:
        yield Finding(LOST, name, f"the export has {export['sizeBytes']} bytes, its file {size}")
    files = [view["files"] for view in found.told.values() if name in view["files"]]
    if found.told and [own[name] for own in files] != [export["sizeBytes"]]:
        came = [own[name] for own in files]
        yield Finding(LOST, name, f"the export has {export['sizeBytes']} bytes, its owner downloads {came}")
