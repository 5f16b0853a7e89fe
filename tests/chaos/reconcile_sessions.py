"""Checks of sessions, their generations and their questions."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.ledger import ACCEPTED, UNKNOWN, Ledger
from tests.chaos.reconcile_findings import DOUBLED, LOST, ORPHAN, STUCK, Finding, once
from tests.chaos.snapshot import UNFINISHED, Document, Snapshot


def sessions(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each accepted session is there once, seen by its owner, and stays away once it was deleted."""
    by_title: dict[str, list[Document]] = defaultdict(list)
    for session in found.of("qa", "sessions"):
        by_title[session["title"]].append(session)
    for request in ledger.of("start session"):
        own = by_title.pop(request.wanted["title"], [])
        fate = ledger.fate("delete session", request.id) if request.id else None
        yield from once(request.outcome, own, request.id or request.wanted["title"], "the session", fate)
        view = found.told.get(request.person)
        if own and view and str(own[0]["_id"]) not in {session["id"] for session in view["sessions"]}:
            yield Finding(LOST, str(own[0]["_id"]), "the session is there, and its owner does not see it")
    for left in by_title.values():
        yield from (Finding(ORPHAN, str(session["_id"]), "a session that nobody asked for") for session in left)


def generations(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each accepted generation is one job that has ended well, unless it was cancelled or its session deleted."""
    jobs = {str(job["_id"]): job for job in found.of("qa", "jobs")}
    known = set()
    for request in ledger.of("start session", "generate", outcome=ACCEPTED):
        if request.job:
            known.add(request.job)
            session = request.subject or request.id
            yield from _job(request.job, jobs.get(request.job), session, ledger)
    spare = Counter(request.subject for request in ledger.of("generate", outcome=UNKNOWN))
    accepted = {request.id for request in ledger.of("start session", outcome=ACCEPTED)}
    for name, job in jobs.items():
        session = str(job["session"])
        if job["status"] in UNFINISHED:
            yield Finding(STUCK, name, f"the job is {job['status']} since attempt {job['attempt']}")
        if name not in known and session in accepted:
            spare[session] -= 1
            if spare[session] < 0:
                yield Finding(DOUBLED, name, f"a job of session {session} that nobody asked for")


def _job(name: str, job: Document | None, session: str, ledger: Ledger) -> Iterator[Finding]:
    if job is None:
        yield Finding(LOST, name, "the job was accepted and is not there")
        return
    cancelled, deleted = ledger.fate("cancel job", name), ledger.fate("delete session", session)
    if cancelled == ACCEPTED and job["status"] != "cancelled":
        yield Finding(LOST, name, f"the job was cancelled, and is {job['status']}")
    if job["status"] == "cancelled" and cancelled is None:
        yield Finding(LOST, name, "the job is cancelled, and nobody asked for that")
    if job["status"] == "failed" and deleted is None:
        yield Finding(LOST, name, f"the job has failed: {job['error']}")


def question_sets(_: Ledger, found: Snapshot) -> Iterator[Finding]:
    """A job that ended well has its full set of questions in its session, once, unless it says that there are no more;
    any other has what it says that it has made."""
    by_job: dict[str, list[Document]] = defaultdict(list)
    by_session: dict[str, list[Document]] = defaultdict(list)
    for question in found.of("qa", "questions"):
        by_session[str(question["session"])].append(question)
        if question.get("generation"):
            by_job[str(question["generation"])].append(question)
    there = {str(session["_id"]): session for session in found.of("qa", "sessions")}
    for job in found.of("qa", "jobs"):
        yield from _set(job, str(job["session"]) in there, by_job.pop(str(job["_id"]), []))
    for name in by_job:
        yield Finding(ORPHAN, name, "questions of a generation that does not exist")
    for name, questions in by_session.items():
        yield from _session_set(name, there.get(name), questions, found)


def _set(job: Document, has_session: bool, stored: list[Document]) -> Iterator[Finding]:
    name, made = str(job["_id"]), len(job.get("made", ()))
    ordinals = Counter(question["ordinal"] for question in stored)
    if any(number > 1 for number in ordinals.values()):
        yield Finding(DOUBLED, name, "the generation has an ordinal twice")
    is_whole = job["status"] == "succeeded" and not (job["result"] or {}).get("exhausted")
    asked = (job.get("count", 0) if is_whole else made) if has_session else 0
    if len(stored) < asked:
        yield Finding(LOST, name, f"{asked} questions were asked for, {len(stored)} are stored")
    if len(stored) > asked:
        yield Finding(DOUBLED if asked else ORPHAN, name, f"{asked} questions were asked for, {len(stored)} are stored")


def _session_set(name: str, session: Document | None, questions: list[Document], found: Snapshot) -> Iterator[Finding]:
    if session is None:
        yield Finding(ORPHAN, name, f"{len(questions)} questions of a session that is not there")
        return
    texts = Counter(" ".join(question["text"].casefold().split()) for question in questions)
    if repeated := [text for text, number in texts.items() if number > 1]:
        yield Finding(DOUBLED, name, f"the session asks twice: {repeated[0]!r}")
    if session["questionCount"] != len(questions):
        yield Finding(
            LOST, name, f"questionCount says {session['questionCount']}, there are {len(questions)} questions"
        )
    told = [view["questions"][name] for view in found.told.values() if name in view["questions"]]
    if told and {question["id"] for question in told[0]} != {str(question["_id"]) for question in questions}:
        yield Finding(LOST, name, f"{len(questions)} questions are stored, the owner sees {len(told[0])}")


def own_questions(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each question of one's own is there once, unless it or its session was deleted."""
    by_text: dict[str, list[Document]] = defaultdict(list)
    for question in found.of("qa", "questions"):
        if question["source"] == "custom":
            by_text[question["text"]].append(question)
    for request in ledger.of("add question"):
        own = by_text.pop(request.wanted["text"], [])
        fates = {ledger.fate("delete question", request.id), ledger.fate("delete session", str(request.subject))}
        fate = ACCEPTED if ACCEPTED in fates else UNKNOWN if UNKNOWN in fates else None
        yield from once(request.outcome, own, request.id or request.wanted["text"], "the question", fate)
    for text in by_text:
        yield Finding(ORPHAN, text, "a question that nobody added")
