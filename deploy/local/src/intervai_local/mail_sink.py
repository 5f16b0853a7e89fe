"""An SMTP server that keeps every letter as a file: `python -m intervai_local.mail_sink`.

Settings by environment: HOST, PORT, MAIL_DIR.
"""

import asyncio
import itertools
import os
import signal
import time
import uuid
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Letters:
    """Writes each letter to `<milliseconds>-<number>-<random>.eml`, so that names sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        name = f"{time.time_ns() // 1_000_000}-{next(self._numbers):08}-{uuid.uuid4().hex[:8]}.eml"
        draft = self.folder / f".{name}"
        draft.write_bytes(envelope.original_content or b"")
        draft.rename(self.folder / name)
        return "250 kept"


async def serve(host: str, port: int, folder: Path) -> None:
    """Listen until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(lambda: SMTP(Letters(folder), enable_SMTPUTF8=True), host, port)
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(os.environ["HOST"], int(os.environ["PORT"]), Path(os.environ["MAIL_DIR"])))
