"""What the settings of mail must look like. The errors show nothing of a value: there may be a password in it."""

from email.utils import parseaddr
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import SecretStr

#: By scheme of SMTP_URL, its usual port (RFC 5321, 6409 and 8314).
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def a_server(url: SecretStr) -> SecretStr:
    """The URL of a mail server. Raises ValueError."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"must be like smtp://host:port; with TLS {' or '.join(list(PORTS)[1:])}")
    if not _has_good_port(url):
        raise ValueError("its port must be a number from 1 to 65535")
    if parts.password and parts.scheme == "smtp":
        raise ValueError("would send its password in clear: use smtp+starttls:// or smtps://")
    return url


def a_mailbox(value: str) -> str:
    """Like `InterVAI <no-reply@example.com>`. Raises ValueError."""
    try:
        validate_email(parseaddr(value)[1], check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("must be like InterVAI <no-reply@example.com>") from None
    if not value.isprintable():
        raise ValueError("must be one line of text")
    return value


def _has_good_port(url: SecretStr) -> bool:
    try:
        return urlsplit(url.get_secret_value()).port != 0
    except ValueError:
        return False
