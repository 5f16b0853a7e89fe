"""What is done about the calls of the model by the clock."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


async def settle_forgotten_calls(container: "QaWorker") -> None:
    """Books calls that nobody came back for. Idempotent: a call is settled once."""
    await container.model.settle_forgotten()
