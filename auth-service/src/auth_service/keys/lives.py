"""The life of a signing key: published, then signing, then only published, then gone.

A key is published so long before it signs that every verifier has fetched it by then, and stays published until the
last token that it can have signed has expired: so a valid token always finds its key. In between it does not matter
which of two keys signs, and so not either that the clocks of two processes differ by some seconds, or that one of them
has not heard yet: both keys are known everywhere. That is why no process has to ask another whose turn it is.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from intervai_shared.auth.keys import REFRESH_SECONDS

#: Seconds for which caches may keep the public keys.
MAX_AGE_SECONDS = 300
#: Seconds between looks for keys that another process has made.
RELOAD_SECONDS = 60.0
#: Seconds by which the clocks of two processes may differ.
SKEW_SECONDS = 60.0
#: Seconds for which a key is published before it signs: the time that it can take from Mongo to the last verifier.
ADVANCE_SECONDS = MAX_AGE_SECONDS + REFRESH_SECONDS + RELOAD_SECONDS + SKEW_SECONDS
#: The longest life of a token that the settings allow. Theirs may have been longer when a token was signed than now.
LONGEST_TOKEN_SECONDS = 3600
#: Seconds for which a key is published after its successor has begun to sign.
OVERLAP_SECONDS = LONGEST_TOKEN_SECONDS + RELOAD_SECONDS + SKEW_SECONDS


class Numbered(Protocol):
    """A key: `number` counts them, `signs_from` is in epoch seconds."""

    @property
    def number(self) -> int: ...

    @property
    def signs_from(self) -> float: ...


KeyT = TypeVar("KeyT", bound=Numbered)


def signing(keys: Sequence[KeyT], now: float) -> KeyT:
    """The newest whose time has come. `keys` is not empty; when the time of none has come, as to a process whose clock
    is far behind, it is the oldest."""
    ready = [key for key in keys if key.signs_from <= now]
    return max(ready, key=_number) if ready else min(keys, key=_number)


def published(keys: Sequence[KeyT], now: float) -> list[KeyT]:
    """Those that can have signed a token which is still good, and those that will sign; the newest first."""
    ended = [key.number for key in keys if key.signs_from + OVERLAP_SECONDS <= now]
    newest_for_long = max(ended, default=0)
    return sorted((key for key in keys if key.number >= newest_for_long), key=_number, reverse=True)


def _number(key: Numbered) -> int:
    return key.number
