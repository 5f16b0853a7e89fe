"""The rules of the guard: who must wait, and for how long, after wrong passwords or codes.

Three counters, each with its own patience:
- an account from one address: soon, since it is somebody who guesses, or has forgotten;
- an account from anywhere: later, and never in the networks that its owner has logged in from before, so that no
  stranger can keep the owner out;
- an address with all accounts: last, since many people may share it.

A try is counted before the password is looked at, and taken back when it was right: of three hundred guesses at once no
more get through than one after the other. An e-mail without account is counted like any other.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from bson import ObjectId
from prometheus_client import Counter
from redis.asyncio import Redis

from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.store import GuardStore, Rule
from auth_service.sessions.devices import is_known_network
from auth_service.settings import AuthSettings
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.http.limits import refusal
from intervai_shared.models import Document

#: What is guessed. Each kind has counters of its own: a right password must not forgive wrong codes.
Kind = Literal["password", "code"]
Who = Literal["account-and-address", "account", "address"]
REFUSED = Counter("intervai_login_guard_refused_total", "Tries refused after too many wrong ones", ["kind", "counter"])


@dataclass(frozen=True)
class Counted:
    """A counter that a try was counted in. `until`: the time (epoch ms) until which it has locked, or 0; `failures`:
    how many there are, with this one."""

    who: Who
    name: str
    until: int
    failures: int


@dataclass(frozen=True)
class Attempt:
    """A try that was let through. `at`: epoch ms."""

    kind: Kind
    caller: Caller
    user: ObjectId | None
    at: int
    counted: tuple[Counted, ...]


class LoginGuard:
    """Mostly `check` is what is needed. Every method raises redis.RedisError: without Redis nobody can log in anyway.

    `account_key` is the account's `emailKey`, or that of the e-mail that somebody has typed; `account` is None when
    there is none with it.
    """

    def __init__(self, redis: Redis, settings: AuthSettings, audit: AuditLog) -> None:
        self._store = GuardStore(redis)
        self._audit = audit
        self._is_on = settings.rate_limit_scale > 0
        self._rules: dict[Who, Rule] = {
            "account-and-address": _rule(settings, settings.lockout_failures),
            "account": _rule(settings, settings.lockout_account_failures),
            "address": _rule(settings, settings.lockout_address_failures),
        }

    async def check(
        self,
        kind: Kind,
        account_key: str,
        account: Document | None,
        caller: Caller,
        is_right: Callable[[], Awaitable[bool]],
    ) -> bool:
        """What `is_right` answers, which is not asked when there were too many wrong tries.

        Raises:
            TooManyRequestsError: there were; carries Retry-After.
        """
        attempt = await self.attempt(kind, account_key, account, caller)
        try:
            right = await is_right()
        except BaseException:  # nobody has learnt anything
            await self._take_back(attempt)
            raise
        await (self.succeeded(attempt) if right else self.failed(attempt))
        return right

    async def attempt(self, kind: Kind, account_key: str, account: Document | None, caller: Caller) -> Attempt:
        """Counts a try as a wrong one, until `succeeded` says otherwise. Raises TooManyRequestsError."""
        now = int(time.time() * 1000)
        attempt = Attempt(kind, caller, account["_id"] if account else None, now, ())
        if not self._is_on:
            return attempt
        is_known = account is not None and is_known_network(account, caller)
        for who, name in names(kind, account_key, caller).items():
            locks = not (who == "account" and is_known)
            wait, until, failures = await self._store.count(name, now, self._rules[who], locks=locks)
            if wait:
                await self._take_back(attempt)
                REFUSED.labels(kind, who).inc()
                raise _refusal(wait, self._rules[who])
            attempt = Attempt(kind, caller, attempt.user, now, (*attempt.counted, Counted(who, name, until, failures)))
        return attempt

    async def succeeded(self, attempt: Attempt) -> None:
        """Forgives what the caller has got wrong before, from this address, with this account (NIST SP 800-63B-4,
        section 3.2.2), and nothing else: who has an account of their own must not be able to wipe out with it what
        they do to others."""
        if not attempt.counted:
            return
        await self._take_back(attempt, attempt.counted[0].failures)

    async def failed(self, attempt: Attempt) -> None:
        """Notes the locks that begin with it in the audit log."""
        for counter in attempt.counted:
            if counter.until:
                seconds = math.ceil((counter.until - attempt.at) / 1000)
                whose = None if counter.who == "address" else attempt.user
                await self._audit.record(
                    "login.locked-out",
                    attempt.caller,
                    whose,
                    succeeded=False,
                    kind=attempt.kind,
                    counter=counter.who,
                    seconds=seconds,
                )

    async def lift(self, kind: Kind, account_key: str, caller: Caller) -> None:
        """Ends the locks of an account, everywhere and at the caller's address: its owner has shown who they are in
        another way."""
        of_it = names(kind, account_key, caller)
        await self._store.forget(of_it["account-and-address"], of_it["account"])

    async def _take_back(self, attempt: Attempt, failures: int = 1) -> None:
        take_back = self._store.take_back
        await asyncio.gather(*(take_back(counter.name, failures, counter.until) for counter in attempt.counted))


def names(kind: Kind, account_key: str, caller: Caller) -> dict[Who, str]:
    """The counters of a try in Redis, the narrowest first: what it refuses is not counted in the wider ones. Redis
    learns nobody's e-mail or address from them."""
    account, prefix = _pseudonym(account_key), f"auth:guard:{kind}"
    return {
        "account-and-address": f"{prefix}:{account}:{_pseudonym(caller.host)}",
        "account": f"{prefix}:{account}",
        "address": f"{prefix}:at:{_pseudonym(caller.host)}",
    }


def _pseudonym(of: str) -> str:
    return hashlib.blake2b(of.encode(), digest_size=16).hexdigest()


def _rule(settings: AuthSettings, failures: int) -> Rule:
    free = max(1, round(failures * settings.rate_limit_scale))
    first, longest = settings.lockout_first_seconds, settings.lockout_longest_seconds
    return Rule(free, int(first * 1000), int(longest * 1000), settings.lockout_forget_seconds * 1000)


def _refusal(wait_ms: int, rule: Rule) -> TooManyRequestsError:
    seconds = max(1, math.ceil(wait_ms / 1000))
    return refusal(f"There were too many wrong tries. Please wait {seconds} s.", rule.free, seconds)
