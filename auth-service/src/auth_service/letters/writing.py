"""Writes letters out: HTML and plain text from one template each (https://jinja.palletsprojects.com).

A template says what the letter says; the layouts and the parts (`parts.html`, `parts.txt`) say how it looks.
"""

import re
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from typing import Any

from email_validator import validate_email
from jinja2 import Environment, PackageLoader, StrictUndefined

from auth_service.letters.kinds import LetterKind
from auth_service.settings import AuthSettings
from intervai_shared.models import Document, utc_now

#: Where the link of a letter leads. The token is in the fragment, which a browser sends to no server.
PAGES: dict[LetterKind, str] = {
    "verify-email": "verify-email",
    "change-email": "verify-email",
    "reset-password": "reset-password",
}


class _OneLine(UnstructuredHeader, BaseHeader):
    """A header whose value is one word, and stays so: to fold it Python would encode it, and no mail program decodes a
    URL (RFC 2369 wants it as it is)."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _OneLine)
#: Long lines are folded by the transfer encoding; what a mail program would show must not depend on it.
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)
#: A mail program would make a link of it: our letters are not to carry strangers' advertisements.
_LIKE_A_LINK = re.compile(r"[/@:\\]|\w\.\w")


class Writer:
    """Writes letters in the name of `MAIL_FROM`."""

    def __init__(self, settings: AuthSettings) -> None:
        self._app_url = settings.app_url.rstrip("/")
        name, self.sender = parseaddr(settings.mail_from)
        self._from = Address(name, addr_spec=self.sender)
        self._html = _environment(html=True)
        self._text = _environment(html=False)

    def message(self, kind: LetterKind, letter: Document, token: str | None) -> EmailMessage:
        """The letter `{_id, data}` to the address `letter["to"]`, with its link if there is a token. Sent twice it is
        the same message to a mail program: its id is made of the letter's."""
        known = {
            "app_url": self._app_url,
            "link": f"{self._app_url}/{PAGES[kind]}#token={token}" if token else None,
            "letter": {**letter["data"], "fullName": _shown(letter["data"].get("fullName", ""))},
        }
        message = EmailMessage(_POLICY)
        message["Subject"] = self._subject(kind, known)
        message["From"] = self._from
        user, _, domain = wire_address(letter["to"]).rpartition("@")
        message["To"] = Address(username=user, domain=domain)
        message["Date"] = format_datetime(utc_now())
        message["Message-ID"] = f"<{letter['_id']}@{self._from.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies, please
        if unsubscribe := letter["data"].get("unsubscribe"):
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        text = re.sub(r"\n{3,}", "\n\n", self._render(self._text, kind, known)).strip()
        message.set_content(f"{text}\n", cte="quoted-printable")
        message.add_alternative(self._render(self._html, kind, known), subtype="html", cte="quoted-printable")
        return message

    def _subject(self, kind: LetterKind, known: dict[str, Any]) -> str:
        template = self._text.get_template(f"{kind}.jinja")
        return "".join(template.blocks["subject"](template.new_context(known))).strip()

    @staticmethod
    def _render(environment: Environment, kind: LetterKind, known: dict[str, Any]) -> str:
        return environment.get_template(f"{kind}.jinja").render(known)


def wire_address(address: str) -> str:
    """The address as mail servers take it: its domain in ASCII, and the rest too if it can be."""
    checked = validate_email(address, check_deliverability=False, test_environment=True)
    return checked.ascii_email or f"{checked.local_part}@{checked.ascii_domain}"


def _environment(*, html: bool) -> Environment:
    suffix = "html" if html else "txt"
    made = Environment(
        loader=PackageLoader("auth_service.letters"),
        autoescape=html,  # noqa: S701  what is not HTML is plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(layout=f"layout.{suffix}", parts=f"parts.{suffix}")
    made.filters["when"] = _when
    return made


def _when(moment: datetime) -> str:
    """Like `24 November 2026, 14:23 UTC`: no template knows where the reader is."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _shown(full_name: str) -> str:
    """A name to greet somebody with; empty when it reads like something else."""
    name = " ".join(full_name.split())
    return "" if _LIKE_A_LINK.search(name) or not name.isprintable() else name
