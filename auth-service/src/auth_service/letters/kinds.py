"""Which letters there are."""

from datetime import timedelta
from typing import Literal, get_args

LetterKind = Literal[
    "verify-email",  # to who registered, or asks again
    "reset-password",
    "password-changed",
    "new-device",
    "change-email",  # to the new address
    "email-changed",  # to the old one
    "already-registered",  # to whose address somebody wants to use for another account
    "mfa-enabled",
    "mfa-disabled",
    "weekly-review",  # to who wants it, with what they have to go through
]
KINDS: tuple[LetterKind, ...] = get_args(LetterKind)

#: How long the link of a letter is good, from when it is sent; other letters have none.
LINK_LIVES: dict[LetterKind, timedelta] = {
    "verify-email": timedelta(hours=24),
    "reset-password": timedelta(minutes=30),
    "change-email": timedelta(minutes=30),
}
#: Of these only the newest of a person is good, and an older one that still waits is not sent.
NEWEST_ONLY = frozenset({"reset-password", "change-email", "weekly-review"})
