"""The fault proxy does to a connection what it says."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from intervai_local.state import HOST
from tests.chaos.proxy import FaultProxy


@pytest.fixture
async def line() -> AsyncIterator[FaultProxy]:
    """A proxy in front of a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    async with FaultProxy(HOST, server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, line: FaultProxy) -> "Client":
        return cls(*await asyncio.open_connection(HOST, line.port))

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.reader.readexactly(len(text))

    async def hears_nothing(self, seconds: float = 0.2) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), seconds) == b"?"
        except TimeoutError:
            return True


async def test_a_healthy_line_passes_everything_both_ways(line: FaultProxy) -> None:
    client = await Client.to(line)
    big = bytes(range(256)) * 4096
    client.writer.write(big)
    client.writer.write_eof()
    assert await client.reader.read() == big
    assert line.accepted == 1


async def test_a_line_that_is_down_resets_and_refuses_until_it_heals(line: FaultProxy) -> None:
    client = await Client.to(line)
    assert await client.ask(b"a") == b"a"
    await line.down()
    with pytest.raises(ConnectionResetError):
        await client.reader.readexactly(1)
    with pytest.raises(ConnectionRefusedError):
        await Client.to(line)
    await line.heal()
    assert await (await Client.to(line)).ask(b"b") == b"b"


async def test_a_black_hole_takes_all_and_gives_nothing_until_it_heals(line: FaultProxy) -> None:
    before = await Client.to(line)
    assert await before.ask(b"a") == b"a"
    await line.black_hole()
    after = await Client.to(line)
    before.writer.write(b"b")
    after.writer.write(b"c")
    assert await before.hears_nothing()
    assert await after.hears_nothing()
    await line.heal()
    assert await before.reader.readexactly(1) == b"b"
    assert await after.reader.readexactly(1) == b"c"


async def test_a_slow_line_adds_its_latency_once_to_each_answer(line: FaultProxy) -> None:
    client = await Client.to(line)
    await client.ask(b"a")
    await line.slow(0.3)
    clock = asyncio.get_running_loop().time
    started = clock()
    await client.ask(bytes(1_000_000))  # many chunks: they follow each other, the latency does not add up
    assert 0.3 <= clock() - started < 0.3 * 5
    await line.heal()
    assert await client.ask(b"c") == b"c"


async def test_a_cut_line_resets_old_connections_and_new_ones_after_some_bytes(line: FaultProxy) -> None:
    old = await Client.to(line)
    assert await old.ask(b"a") == b"a"
    await line.cut(after_bytes=3)
    with pytest.raises(ConnectionResetError):
        await old.reader.readexactly(1)
    new = await Client.to(line)
    assert await new.ask(b"abc") == b"abc"
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await new.ask(b"d")
    await line.heal()
    assert await (await Client.to(line)).ask(b"abcd") == b"abcd"
