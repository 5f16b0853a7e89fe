"""The actor of letters."""

from typing import TYPE_CHECKING

from intervai_shared.mongo import object_id

if TYPE_CHECKING:
    from auth_service.worker import AuthWorker


async def send_letter(container: "AuthWorker", letter_id: str) -> None:
    """Sends a letter. Idempotent by the letter's record, see `LetterSender.run`."""
    await container.sender.run(object_id(letter_id))
