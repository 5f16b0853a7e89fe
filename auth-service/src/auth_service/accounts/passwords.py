"""Password hashes: argon2id (RFC 9106), off the event loop, a bounded number at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from auth_service.settings import AuthSettings

T = TypeVar("T")


class PasswordHasher:
    """Its own thread pool is the cap: each hash takes about 120 ms of CPU and 64 MiB."""

    def __init__(self, settings: AuthSettings) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._threads = ThreadPoolExecutor(settings.password_workers, thread_name_prefix="argon2")
        self._unknown_user = self._argon2.hash("nobody has this password")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The hash to store, with its parameters in it."""
        return await self._run(self._argon2.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. None stands for an unknown user and costs the same time."""
        return await self._run(self._verify, stored or self._unknown_user, password) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than those of the settings."""
        return self._argon2.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., T], *args: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
