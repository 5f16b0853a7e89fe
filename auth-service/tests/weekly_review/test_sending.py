"""What becomes of a weekly letter when it is sent: its content comes from the running qa-service at that moment."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from bson import ObjectId
from markupsafe import escape
from pydantic import SecretStr

from auth_service.container import AuthContainer
from auth_service.letters.parts import open_sender
from auth_service.letters.smtp import MailOutageError
from auth_service.letters.writing import Writer
from auth_service.settings import AuthSettings
from auth_service.weekly_review.content import LONGEST_SHOWN, MOST_SHOWN, WeeklyContent
from auth_service.weekly_review.service import WeeklyReviews, letter_id
from intervai_shared.errors import UnavailableError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database

WEEK = "2026-W49"
HaveDue = Callable[..., Awaitable[None]]
Posting = Callable[..., WeeklyReviews]


async def record(database: Database, user: ObjectId, week: str = WEEK) -> Document:
    found = await database.letters.find_one({"_id": letter_id(user, week)})
    assert found is not None
    return found


def text_of(letter: EmailMessage, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def written(settings: AuthSettings, *questions: str, total: int | None = None) -> EmailMessage:
    letter = {"_id": ObjectId(), "to": "ada@example.com"}
    data = {"total": len(questions) if total is None else total, "questions": list(questions)}
    return Writer(settings).message("weekly-review", {**letter, "data": data}, None)


async def test_the_letter_shows_what_is_due_once_a_week_and_nothing_of_it_is_stored(
    posting: Posting,
    subscriber: ObjectId,
    have_due: HaveDue,
    signed_up: dict[str, Any],
    post_office: Any,
    database: Database,
    settings: AuthSettings,
) -> None:
    address = signed_up["user"]["email"]
    await have_due("What is a closure?", "Why is `is` not `==`?")
    for _ in range(3):
        await posting().post(WEEK)
        (letter,) = await post_office.to(address)
    assert letter["Subject"] == "2 questions wait for your review"
    assert "- What is a closure?\n- Why is `is` not `==`?\n" in text_of(letter)
    assert f"{settings.app_url}/reviews" in text_of(letter)
    assert f"{settings.app_url}/preferences" in text_of(letter)
    sent = await record(database, subscriber)
    assert (sent["status"], sent["wasSent"], sent["data"]) == ("succeeded", True, {})


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"mail": {"newDevice": True, "weeklyReview": False, "sequence": 2}}},
        {"$set": {"emailVerifiedAt": None}},
        {"$set": {"lockedAt": utc_now()}},
        None,  # the account is erased
        {},  # nothing has changed, but nothing is due
    ],
)
async def test_who_has_no_use_for_it_any_more_when_it_is_sent_gets_none(
    posting: Posting,
    subscriber: ObjectId,
    have_due: HaveDue,
    signed_up: dict[str, Any],
    post_office: Any,
    database: Database,
    change: dict[str, Any] | None,
) -> None:
    if change != {}:
        await have_due("What is a closure?")
    await posting().post(WEEK)
    if change is None:
        await database.accounts.delete_many({})
    elif change:
        await database.accounts.update_one({"_id": subscriber}, change)
    assert await post_office.to(signed_up["user"]["email"]) == []
    ended = await record(database, subscriber)
    assert (ended["status"], ended["wasSent"]) == ("succeeded", False)


async def test_it_goes_to_the_address_of_the_moment(
    posting: Posting, subscriber: ObjectId, have_due: HaveDue, post_office: Any, database: Database
) -> None:
    await have_due("What is a closure?")
    await posting().post(WEEK)
    new = f"{ObjectId()}@example.com"
    await database.accounts.update_one({"_id": subscriber}, {"$set": {"email": new}})
    assert len(await post_office.to(new)) == 1


async def test_one_that_waited_until_the_next_is_not_sent_beside_it(
    posting: Posting,
    subscriber: ObjectId,
    have_due: HaveDue,
    signed_up: dict[str, Any],
    post_office: Any,
    database: Any,
) -> None:
    await have_due("What is a closure?")
    await posting().post(WEEK)
    waited = {"$set": {"createdAt": utc_now() - timedelta(days=6, hours=23)}}
    await database.letters.update_one({"_id": letter_id(subscriber, WEEK)}, waited)
    await posting().post("2026-W50")
    assert len(await post_office.to(signed_up["user"]["email"])) == 1
    assert (await record(database, subscriber))["wasSent"] is False
    assert (await record(database, subscriber, "2026-W50"))["wasSent"] is True


async def test_while_qa_service_or_the_mail_server_is_down_it_waits_and_no_attempt_is_used_up(
    posting: Posting,
    subscriber: ObjectId,
    have_due: HaveDue,
    signed_up: dict[str, Any],
    post_office: Any,
    database: Database,
    container: AuthContainer,
    settings: AuthSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await have_due("What is a closure?")
    await posting().post(WEEK)
    with monkeypatch.context() as patched:
        patched.setattr(container.resources.services._http, "base_url", "http://127.0.0.1:1")
        with pytest.raises(UnavailableError):  # once: its four tries leave the circuit breaker closed
            await post_office.sender.run(letter_id(subscriber, WEEK))
    no_server = settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})
    for _ in range(2):
        with pytest.raises(MailOutageError):
            await open_sender(container.resources, no_server).run(letter_id(subscriber, WEEK))
    waiting = await record(database, subscriber)
    assert (waiting["status"], waiting["attempt"], waiting["excused"]) == ("queued", 3, 3)
    assert len(await post_office.to(signed_up["user"]["email"])) == 1


class Told:
    """A qa-service that answers as the test wants."""

    def __init__(self, *texts: str, total: int) -> None:
        self._answer = {"total": total, "questions": [{"id": "1", "text": text} for text in texts]}

    async def get(self, service: str, path: str, **params: Any) -> Any:
        return self._answer


class NoLink:
    """A suite that does not know where it is reached from outside."""

    def link(self, user: ObjectId) -> None:
        return None


async def content(*texts: str, total: int | None = None) -> Document | None:
    services: Any = Told(*texts, total=len(texts) if total is None else total)
    account = {"_id": ObjectId(), "mail": {"weeklyReview": True}, "emailVerifiedAt": utc_now()}
    return await WeeklyContent(services, NoLink()).of(account)  # type: ignore[arg-type]


async def test_a_letter_never_shows_more_than_it_may() -> None:
    shown = await content(*["word " * 200] * 25, total=400)
    assert shown is not None
    assert (shown["total"], len(shown["questions"])) == (400, MOST_SHOWN)
    assert {len(text) for text in shown["questions"]} <= {LONGEST_SHOWN, LONGEST_SHOWN - 1}
    assert shown["questions"][0].endswith("word…")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\tof it", "two lines of it"),
        ("\u202eevil\u2066", "evil"),
        ("bell\x07 and \x00", "bell and "),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
    ],
)
async def test_a_question_is_one_line_that_cannot_turn_round_the_others(text: str, shown: str) -> None:
    assert await content(text) == {"total": 1, "questions": [shown], "unsubscribe": None}


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", '"><img src=x onerror=y>', "{{ app_url.__class__ }}", "{% raw %}", "&lt;b&gt;"],
)
def test_a_question_is_text_and_no_code(text: str, settings: AuthSettings) -> None:
    letter = written(settings, text)
    page = text_of(letter, "html")
    assert f"- {text}\n" in text_of(letter)
    assert "<script" not in page
    assert "<img" not in page
    assert f">{escape(text)}</p>" in page
    assert set(letter.keys()) == set(written(settings, "harmless").keys())


@pytest.mark.parametrize(
    ("shown", "total", "subject", "first"),
    [
        (1, 1, "1 question waits for your review", "1 question waits in your review queue:"),
        (2, 2, "2 questions wait for your review", "2 questions wait in your review queue:"),
        (20, 57, "57 questions wait for your review", "57 questions wait in your review queue; these are the first"),
    ],
)
def test_the_letter_tells_the_number_of_all(
    settings: AuthSettings, shown: int, total: int, subject: str, first: str
) -> None:
    letter = written(settings, *[f"Question {n}?" for n in range(shown)], total=total)
    assert letter["Subject"] == subject
    assert first in text_of(letter)
    assert text_of(letter).count("\n- Question") == shown
