"""Recovery codes: for who has lost the authenticator. 80 random bits each, so that a plain hash of them can be kept."""

import hashlib
import secrets

HOW_MANY = 10
#: Crockford's: no letter looks like a digit (https://www.crockford.com/base32.html).
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 16  # five bits each
GROUP = 4
#: What people read for another character.
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


def new_codes() -> list[str]:
    """Codes as they are shown, such as `3kdm-9x0a-7tq2-hw5z`."""
    return [_grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH))) for _ in range(HOW_MANY)]


def digest(code: str) -> str:
    """The hash that is kept of a code, the same however it was typed: in capitals, without dashes, o for 0."""
    return hashlib.sha256(code.lower().translate(_MISREAD).encode()).hexdigest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))
