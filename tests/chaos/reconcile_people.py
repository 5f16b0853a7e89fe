"""Checks of accounts and profiles, and of acknowledged changes."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.chaos.ledger import ACCEPTED, UNKNOWN, Ledger, Request
from tests.chaos.reconcile_findings import DOUBLED, LOST, ORPHAN, Finding, once
from tests.chaos.snapshot import Document, Snapshot


def people(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """Each accepted registration is one account with one profile, which its owner sees."""
    accounts, profiles = found.of("auth", "accounts"), found.of("user", "profiles")
    known = set()
    for request in ledger.of("register"):
        known.add(request.person)
        own = [account for account in accounts if account["emailKey"] == request.person]
        yield from once(request.outcome, own, request.person, "the account")
        for account in own:
            yield from _profile(account, profiles, found)
    for account in accounts:
        if account["email"] not in known:
            yield Finding(ORPHAN, str(account["_id"]), "an account that nobody asked for")
    ids = {account["_id"] for account in accounts}
    for profile in profiles:
        if profile["_id"] not in ids:
            yield Finding(ORPHAN, str(profile["_id"]), "a profile without an account")


def _profile(account: Document, profiles: list[Document], found: Snapshot) -> Iterator[Finding]:
    own = [profile for profile in profiles if account["email"] == profile["email"] or profile["_id"] == account["_id"]]
    if len(own) != 1:
        yield Finding(DOUBLED if own else LOST, str(account["_id"]), f"{len(own)} profiles of one account")
    told = found.told.get(account["email"])
    if own and told and told["profile"] is None:
        yield Finding(LOST, str(account["_id"]), "the profile is there, and its owner does not see it")


def changes(ledger: Ledger, found: Snapshot) -> Iterator[Finding]:
    """An acknowledged change stands until a later one; a person reads what they wrote."""
    stored = {
        "change session": {str(session["_id"]): session for session in found.of("qa", "sessions")},
        "change question": {str(question["_id"]): question for question in found.of("qa", "questions")},
        "change profile": {profile["email"]: profile for profile in found.of("user", "profiles")},
    }
    told = {"change session": {}, "change question": {}, "change profile": {}}  # type: dict[str, dict[str, Document]]
    for email, view in found.told.items():
        told["change profile"][email] = view["profile"] or {}
        told["change session"].update({session["id"]: session for session in view["sessions"]})
        for questions in view["questions"].values():
            told["change question"].update({question["id"]: question for question in questions})
    for (kind, subject, name), allowed in _allowed(ledger).items():
        for where, things in (("stored", stored[kind]), ("told", told[kind])):
            yield from _stands(subject, name, allowed, things, where)


def _stands(
    subject: str, name: str, allowed: list[Any], things: Mapping[str, Document], where: str
) -> Iterator[Finding]:
    thing = things.get(subject)
    if thing and thing.get(name) not in allowed:
        yield Finding(LOST, subject, f"{name} is {where} as {thing.get(name)!r}, and was last set to {allowed!r}")


def _allowed(ledger: Ledger) -> dict[tuple[str, str, str], list[Any]]:
    """For each changed field what it may be: the last acknowledged value, or what was tried since."""
    values: dict[tuple[str, str, str], list[Any]] = {}
    for request in ledger.of("change session", "change question", "change profile"):
        for name, value in request.wanted.items():
            place = (request.kind, str(request.subject), name)
            if request.outcome == ACCEPTED:
                values[place] = [value]
            elif request.outcome == UNKNOWN:
                values.setdefault(place, _before(request, name)).append(value)
    return values


def _before(request: Request, name: str) -> list[Any]:
    """What a field was before anybody changed it, as far as a client can know."""
    return [False] if name == "isPinned" else [None, "", "Backend engineer"]
