"""Decoding of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream):
only their data, which is all that a provider of language models sends."""

_BOM = b"\xef\xbb\xbf"


class EventDecoder:
    """Makes events of bytes, however the network has cut them."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._is_first = True

    @property
    def waiting(self) -> int:
        """Bytes of a line that has not ended yet."""
        return len(self._rest)

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that are whole now."""
        text = self._rest + received
        if self._is_first and len(text) >= len(_BOM):
            text, self._is_first = text.removeprefix(_BOM), False
        held = b""
        if b"\r" in text:  # a line ends by CR LF, LF or CR; whether by this CR alone, the next byte tells
            held, text = (b"\r", text[:-1]) if text.endswith(b"\r") else (b"", text)
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._rest = rest + held
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data = []
            elif line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif line == b"data":
                self._data.append(b"")
        return events
