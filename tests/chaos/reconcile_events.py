"""Checks of the event logs, of what subscribers did with the events, and of what lies about."""

from collections import Counter
from collections.abc import Iterator, Mapping

from tests.chaos.ledger import ACCEPTED, Ledger
from tests.chaos.reconcile_findings import DOUBLED, LOST, ORPHAN, STUCK, Finding
from tests.chaos.snapshot import OWN, SUBSCRIBERS, Document, Snapshot


def events(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each change has its event once: what happened, counted by the thing that it happened to."""
    accounts = {str(account["_id"]): 1 for account in found.of("auth", "accounts")}
    made = {str(session["_id"]): 1 for session in found.of("qa", "sessions")}
    gone = {str(r.subject): 1 for r in ledger.of("delete session", outcome=ACCEPTED)}
    jobs = {str(job["_id"]): 1 for job in found.of("qa", "jobs") if job["status"] == "succeeded"}
    ready = {str(export["_id"]): 1 for export in found.of("export", "exports") if export["status"] == "succeeded"}
    yield from _logged("auth", "user.registered", accounts, found)
    yield from _logged("qa", "session.created", made, found)
    yield from _logged("qa", "session.deleted", gone, found)
    yield from _logged("qa", "questions.generated", jobs, found, of_job=True)
    yield from _logged("export", "export.completed", ready, found)


def _logged(
    service: str, event_type: str, happened: Mapping[str, int], found: Snapshot, *, of_job: bool = False
) -> Iterator[Finding]:
    logged = Counter(
        str(event["data"]["jobId"]) if of_job else str(event["aggregateId"])
        for event in found.of(service, "events")
        if event["type"] == event_type
    )
    for name in happened.keys() - logged.keys():
        yield Finding(LOST, name, f"no {event_type} in the log")
    for name, number in logged.items():
        if number > 1:
            yield Finding(DOUBLED, name, f"{event_type} is in the log {number} times")


def deliveries(_: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each event is in the inbox of each subscriber once, and its effect is there once."""
    for source, by_type in SUBSCRIBERS.items():
        sent = [event for event in found.of(source, "events") if event["type"] in by_type]
        for event in sent:
            for target in by_type[event["type"]]:
                yield from _applied(event, found.of(target.removesuffix("-service"), "inbox"), target)
    yield from _topics(found)


def _applied(event: Document, inbox: list[Document], target: str) -> Iterator[Finding]:
    """A service may have several consumers of an event; the inbox names them behind its id."""
    name = str(event["_id"])
    consumers = Counter(entry["_id"] for entry in inbox if entry["_id"].partition(" ")[0] == name)
    what = f"{event['type']} of {event['aggregateId']} was applied {sum(consumers.values())} times by {target}"
    if not consumers:
        yield Finding(LOST, name, what)
    if any(times > 1 for times in consumers.values()):
        yield Finding(DOUBLED, name, what)


def letters(_: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each new account is written to once, and every letter that was written has gone out."""
    written = found.of("auth", "letters")
    welcomed = Counter(str(letter["user"]) for letter in written if letter["kind"] == "verify-email")
    for account in found.of("auth", "accounts"):
        name = str(account["_id"])
        if welcomed[name] != 1:
            yield Finding(DOUBLED if welcomed[name] else LOST, name, f"{welcomed[name]} letters to a new account")
    for letter in written:
        if letter["status"] != "succeeded":
            yield Finding(STUCK, str(letter["_id"]), f"a letter ({letter['kind']}) is {letter['status']}")


def _topics(found: Snapshot) -> Iterator[Finding]:
    """The projection `topic_uses` is what its events say: one document for each topic, person and day."""
    expected = {
        f"{' '.join(topic.casefold().split())}:{event['data']['user']}:{event['occurredAt']:%Y-%m-%d}"
        for event in found.of("qa", "events")
        if event["type"] == "session.created"
        for topic in event["data"]["topics"]
    }
    there = Counter(str(use["_id"]) for use in found.of("qa", "topic_uses"))
    yield from (Finding(LOST, name, "a use of a topic is not projected") for name in expected - there.keys())
    yield from (Finding(ORPHAN, name, "a use of a topic that no event tells of") for name in there.keys() - expected)
    yield from (Finding(DOUBLED, name, "a use of a topic is there twice") for name, n in there.items() if n > 1)


def leftovers(_: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Every message was published, and none was given up."""
    for service in OWN:
        for message in found.of(service, "outbox"):
            if message["state"] == "pending":
                yield Finding(STUCK, str(message["_id"]), f"{message['name']} waits in the outbox of {service}")
        for letter in found.of(service, "dead_letters"):
            if letter["state"] == "dead":
                what = f"a dead letter of {service}: {letter['actor']} {letter['args']}: {letter['error']}"
                yield Finding(STUCK, str(letter["_id"]), what)
