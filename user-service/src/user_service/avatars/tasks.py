"""What user-service does with avatars by the clock."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from user_service.container import UserContainer


async def sweep_avatars(container: "UserContainer") -> None:
    """Removes files that are no avatar. Idempotent: what is gone is gone."""
    await container.avatars.sweep()
