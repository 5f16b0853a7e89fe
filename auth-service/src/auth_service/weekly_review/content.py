"""What stands in the letter: asked of qa-service when it is sent, and kept nowhere here."""

from pydantic import Field

from auth_service.weekly_review.repository import can_get_it
from auth_service.weekly_review.unsubscribing import Unsubscribing
from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.models import Document, WireModel

#: Questions that are shown; the letter tells the number of all.
MOST_SHOWN = 20
#: Characters of a question that are shown: a letter is to be read at a glance.
LONGEST_SHOWN = 300


class _Question(WireModel):
    text: str


class _Waiting(WireModel):
    """qa-service's `WaitingQuestions`."""

    total: int = Field(ge=0)
    questions: list[_Question]


class WeeklyContent:
    """Knows who gets a letter at this moment, and with what."""

    def __init__(self, services: ServiceClient, unsubscribing: Unsubscribing) -> None:
        self._services = services
        self._unsubscribing = unsubscribing

    async def of(self, account: Document) -> Document | None:
        """`{total, questions: [text], unsubscribe: URL or None}`. None: no letter is wanted, or nothing waits.

        Raises:
            UnavailableError: qa-service cannot be asked now; the letter waits.
        """
        if not can_get_it(account):
            return None
        path = f"/internal/users/{account['_id']}/reviews/due"
        waiting = _Waiting.model_validate(await self._services.get("qa-service", path, limit=MOST_SHOWN))
        texts = [_shown(question.text) for question in waiting.questions[:MOST_SHOWN]]
        if not texts:
            return None
        unsubscribe = self._unsubscribing.link(account["_id"])
        return {"total": max(waiting.total, len(texts)), "questions": texts, "unsubscribe": unsubscribe}


def _shown(text: str) -> str:
    """One line of it, without what nobody sees: a direction that is overridden could turn the rest of the letter round.
    The two joiners stay, which some scripts and emoji need."""
    line = "".join(each for each in " ".join(text.split()) if each.isprintable() or each in "\u200c\u200d")
    return line if len(line) <= LONGEST_SHOWN else f"{line[: LONGEST_SHOWN - 1].rstrip()}…"
