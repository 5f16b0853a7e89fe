"""Which passwords are taken, by NIST SP 800-63B-4, section 3.1.1.2: long enough, and none that everybody tries first.
No rules of composition, no expiry."""

import runpy
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from intervai_shared.errors import InvalidError

#: A shorter part of an e-mail address is found in too many good passwords.
SHORTEST_NAME = 4


def check_password(password: str, email: str, field: str = "password") -> None:
    """
    Raises:
        InvalidError: it is among the most common passwords, words and names of zxcvbn's lists (30,000 passwords among
            them), or it contains the e-mail address or the part before the @. It names `field`.
    """
    lowered, address = password.lower(), email.lower()
    if lowered in _common() or len(set(lowered)) == 1:
        raise _refused(field, "is one of the most common passwords: whoever guesses tries it first")
    name = address.partition("@")[0]
    if address in lowered or (len(name) >= SHORTEST_NAME and name in lowered):
        raise _refused(field, "must not contain your e-mail address")


@cache
def _common() -> frozenset[str]:
    """Read at the first use, since workers need none of it; past zxcvbn itself, which would keep five times that."""
    package = find_spec("zxcvbn")
    assert package is not None  # noqa: S101  it is among our dependencies
    assert package.origin is not None  # noqa: S101
    lists = runpy.run_path(str(Path(package.origin).with_name("frequency_lists.py")))["FREQUENCY_LISTS"]
    return frozenset(word for ranked in lists.values() for word in ranked if len(word) >= 8)


def _refused(field: str, message: str) -> InvalidError:
    return InvalidError([{"field": field, "message": message}])
