"""Hands letters to a mail server. Only the worker imports this: the client takes memory that the API needs not."""

import asyncio
import ssl
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import send

from auth_service.letters.addresses import PORTS
from auth_service.settings import AuthSettings
from intervai_shared.errors import OutageError
from intervai_shared.jobs import PermanentError

#: Seconds that one answer of the server may take, and all of them together: less than a job's lease.
ANSWER_SECONDS = 10.0
SEND_SECONDS = 25.0


class MailOutageError(OutageError):
    """The mail server does not answer, or says that it cannot take the letter now (RFC 5321: a reply of 4yz)."""


class MailRefusedError(Exception):
    """The mail server refuses us, not the letter: an operator has to look, and to have the dead letters sent again."""


class Mailer:
    """Sends by the server of `SMTP_URL`, over a connection of its own for each letter: they are rare."""

    def __init__(self, settings: AuthSettings) -> None:
        url = urlsplit(settings.smtp_url.get_secret_value())
        self._server: dict[str, Any] = {
            "hostname": url.hostname,
            "port": url.port or PORTS[url.scheme],
            "username": unquote(url.username) if url.username else None,
            "password": unquote(url.password) if url.password else None,
            "use_tls": url.scheme == "smtps",
            "start_tls": url.scheme == "smtp+starttls",
        }
        self._tls = None if url.scheme == "smtp" else ssl.create_default_context()

    async def deliver(self, message: EmailMessage, sender: str, to: str) -> None:
        """
        Raises:
            PermanentError: the server refuses this recipient or this letter for good (5yz).
            MailOutageError: it does not answer, or not now.
            MailRefusedError: it refuses us: the log-in, the sender, our TLS.
        """
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(
                    message,
                    sender=sender,
                    recipients=[to],
                    timeout=ANSWER_SECONDS,
                    tls_context=self._tls,
                    **self._server,
                )
        except (aiosmtplib.SMTPException, OSError) as error:  # a time-out is an OSError
            raise _meaning(error) from None  # its text may hold the address


def _meaning(error: Exception) -> Exception:
    """The error by what is to be done about it; it tells the code alone."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 0
    if 400 <= code < 500:
        return MailOutageError(f"the mail server answers {code}")
    if isinstance(error, (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)):
        return PermanentError(f"The mail server refuses the letter: {code}.")
    if isinstance(error, aiosmtplib.SMTPNotSupported) and "SMTPUTF8" in error.message:
        return PermanentError("The mail server takes no addresses outside of ASCII.")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return MailRefusedError("the mail server's certificate or TLS is not good")
    if isinstance(error, OSError):  # aiosmtplib's errors of the connection are too
        return MailOutageError(f"the mail server is not reachable: {type(error).__name__}")
    return MailRefusedError(f"the mail server refuses us: {type(error).__name__} {code or ''}".rstrip())
