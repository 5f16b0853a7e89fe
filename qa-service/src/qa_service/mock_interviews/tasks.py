"""What is due by the clock."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qa_service.worker import QaWorker

#: Each five minutes.
SWEEP = "*/5 * * * *"


async def end_interviews(container: "QaWorker") -> None:
    """Ends mock interviews whose time is up. Idempotent: what has ended is not found again."""
    await container.endings.sweep()
