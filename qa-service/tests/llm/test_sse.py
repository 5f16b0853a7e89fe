"""The decoder of server-sent events, by the rules of the standard and whatever the network does."""

import pytest

from qa_service.llm.sse import EventDecoder

STREAM = (
    "\ufeff: a comment\n\nevent: x\ndata: one\nid: 7\n\n"
    "data:two\r\n\r\ndata\r\rdata: three\ndata:  lines\r\n\ndata: naïve ☃\n\n\n\nretry: 1\n\ndata: unfinished"
).encode()
EVENTS = [b"one", b"two", b"", b"three\n lines", "naïve ☃".encode()]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_the_events_are_the_same_however_the_bytes_come(size: int) -> None:
    decoder = EventDecoder()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in decoder.feed(piece)] == EVENTS


def test_what_waits_for_its_end_is_known() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: " + b"x" * 100) == []
    assert decoder.waiting == 106
    assert decoder.feed(b"\n\n") == [b"x" * 100]
    assert decoder.waiting == 0
