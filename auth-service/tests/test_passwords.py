"""Promises of the password hasher: off the event loop, a bounded number at a time."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import argon2
import pytest

from auth_service.accounts.passwords import PasswordHasher
from auth_service.settings import AuthSettings


@pytest.fixture
def hasher(settings: AuthSettings) -> Iterator[PasswordHasher]:
    """A hasher with two threads, as by default."""
    assert settings.password_workers == 2
    with PasswordHasher(settings) as opened:
        yield opened


@pytest.fixture
def instead_of_argon2(monkeypatch: pytest.MonkeyPatch, hasher: PasswordHasher) -> Callable[[Callable[[], str]], None]:
    """Puts a function of no CPU time in the place of the hash."""

    def replace(function: Callable[[], str]) -> None:
        monkeypatch.setattr(argon2.PasswordHasher, "hash", lambda *_: function())

    return replace


async def test_a_hash_is_right_for_its_password_only(hasher: PasswordHasher) -> None:
    stored = await hasher.hash("correct horse")
    assert await hasher.verify(stored, "correct horse")
    assert not await hasher.verify(stored, "correct horse ")


async def test_one_password_has_many_hashes(hasher: PasswordHasher) -> None:
    assert await hasher.hash("correct horse") != await hasher.hash("correct horse")


async def test_the_password_of_the_dummy_hash_lets_nobody_in(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hasher, "_unknown_user", await hasher.hash("guessed"))
    assert not await hasher.verify(None, "guessed")


@pytest.mark.parametrize("damaged", ["$argon2id$v=19$m=8192", "$2b$12$bcrypt", "plain", " "])
async def test_a_damaged_hash_lets_nobody_in(hasher: PasswordHasher, damaged: str) -> None:
    assert not await hasher.verify(damaged, "plain")


async def test_the_event_loop_works_on_while_a_password_is_hashed(
    hasher: PasswordHasher, instead_of_argon2: Callable[[Callable[[], str]], None]
) -> None:
    loop_is_alive = threading.Event()
    instead_of_argon2(lambda: str(loop_is_alive.wait(timeout=5)))
    hashing = asyncio.create_task(hasher.hash("correct horse"))
    await asyncio.sleep(0)  # the hash has begun, and waits for us
    loop_is_alive.set()
    assert await hashing == "True"


async def test_a_storm_is_worked_off_two_at_a_time(
    hasher: PasswordHasher, instead_of_argon2: Callable[[Callable[[], str]], None]
) -> None:
    lock = threading.Lock()
    running, most = 0, 0

    def work() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return threading.current_thread().name

    instead_of_argon2(work)
    threads = await asyncio.gather(*(hasher.hash("correct horse") for _ in range(12)))
    assert most == 2
    assert len(set(threads)) == 2
