"""The scheduled work of the signing keys."""

from typing import Protocol

from auth_service.keys.rotation import KeyRotation


class _Container(Protocol):
    @property
    def rotation(self) -> KeyRotation: ...


async def rotate_keys(container: _Container) -> None:
    """Makes the next signing key when it is time, see `KeyRotation.rotate_when_due`."""
    await container.rotation.rotate_when_due()
