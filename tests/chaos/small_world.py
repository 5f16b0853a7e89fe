"""A small world for the tests of the reconciler: a ledger, and all that must be there for it."""

from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

from tests.chaos.ledger import ACCEPTED, Ledger, Request
from tests.chaos.reconcile import check
from tests.chaos.snapshot import Document, Snapshot

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADA = "ada@example.com"
USER, SESSION, JOB, EXPORT, OWN, GENERATED, REGISTERED, CREATED, MADE, READY, LETTER = (ObjectId() for _ in range(11))
FILE = f"exports/{EXPORT}.md"


class World:
    """One person, one session with two generated questions and one of her own, one export."""

    def __init__(self) -> None:
        self.ledger = Ledger(people={ADA: "secret"})
        db = _db()
        self.found = Snapshot(db, {FILE: 9}, {ADA: _told(db["qa"]["questions"])})
        start = {"title": "session 1", "questionCount": 2}
        self.request("register", wanted={"email": ADA})
        self.request("start session", wanted=start, answer={"id": str(SESSION), "generation": {"jobId": str(JOB)}})
        self.request("add question", SESSION, wanted={"text": "mine 1"}, answer={"id": str(OWN)})
        self.request("change question", OWN, wanted={"notes": "note 1"})
        self.request("start export", SESSION, wanted={"format": "md"}, answer={"id": str(EXPORT)})

    def request(self, kind: str, subject: ObjectId | None = None, **fields: Any) -> Request:
        """Adds an accepted request, unless `fields` say otherwise."""
        made = Request(kind, ADA, str(subject) if subject else None, **{"outcome": ACCEPTED, **fields})
        return self.ledger.begin(made)

    def one(self, service: str, collection: str, number: int = 0) -> Document:
        return self.found.db[service][collection][number]

    def findings(self) -> set[tuple[str, str]]:
        return {(finding.kind, finding.id) for finding in check(self.ledger, self.found)}


def _db() -> dict[str, dict[str, list[Document]]]:
    account = {"_id": USER, "email": ADA, "emailKey": ADA}
    session = {"_id": SESSION, "user": USER, "title": "session 1", "questionCount": 3}
    job = {"_id": JOB, "session": SESSION, "status": "succeeded", "count": 2, "attempt": 1, "error": None}
    job |= {"made": [{}, {}], "result": {"questions": 2}}
    export = {**job, "_id": EXPORT, "format": "md", "sizeBytes": 9}
    made = [question(GENERATED, "q 0", generation=JOB, ordinal=0), question(ObjectId(), "q 1", JOB, 1)]
    questions = [*made, question(OWN, "mine 1") | {"notes": "note 1"}]
    topics = [{"_id": f"sql:{USER}:2026-11-24"}]
    qa_events = [
        event("session.created", SESSION, CREATED, user=str(USER), topics=["SQL"]),
        event("questions.generated", SESSION, MADE, jobId=str(JOB)),
    ]
    return {
        "auth": {
            "accounts": [account],
            "letters": [{"_id": LETTER, "user": USER, "kind": "verify-email", "status": "succeeded"}],
            "events": [event("user.registered", USER, REGISTERED)],
            "outbox": [],
        },
        "user": {
            "profiles": [{"_id": USER, "email": ADA}],
            "inbox": [{"_id": str(name)} for name in (REGISTERED, MADE, READY)],
        },
        "qa": {
            "sessions": [session],
            "questions": questions,
            "jobs": [job],
            "topic_uses": topics,
            "events": qa_events,
            "inbox": [{"_id": f"{CREATED} trending"}, {"_id": f"{MADE} progress"}],
        },
        "export": {"exports": [export], "events": [event("export.completed", EXPORT, READY)], "dead_letters": []},
    }


def question(name: ObjectId, text: str, generation: ObjectId | None = None, ordinal: int = 0) -> Document:
    made = {"source": "generated", "generation": generation, "ordinal": ordinal} if generation else {"source": "custom"}
    return {"_id": name, "session": SESSION, "text": text, "isPinned": False, "notes": "", **made}


def event(event_type: str, aggregate: ObjectId, name: ObjectId | None = None, **data: Any) -> Document:
    return {"_id": name or ObjectId(), "type": event_type, "aggregateId": aggregate, "occurredAt": NOW, "data": data}


def _told(questions: list[Document]) -> Document:
    """What the API says to her."""
    return {
        "profile": {"email": ADA},
        "sessions": [{"id": str(SESSION), "title": "session 1"}],
        "questions": {str(SESSION): [stored | {"id": str(stored["_id"])} for stored in questions]},
        "exports": [{"id": str(EXPORT), "status": "ready"}],
        "files": {str(EXPORT): 9},
    }
