"""REDIS_URL: one server, Sentinels or a Cluster; a wrong one stops the start and shows no password."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio.connection import SSLConnection

from intervai_local.topologies import ESCAPED, PASSWORD, Node
from intervai_shared import redis as redis_module
from intervai_shared.redis_address import parse
from intervai_shared.settings import ServiceSettings, load_settings

SECRET = "do-not-print-me"


class Settings(ServiceSettings):
    """As a service has them."""

    service: str = "probe-service"


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://:p@h:1/2",
        "rediss://u:p@h:1?ssl_ca_certs=/ca.pem",
        "redis://[::1]:7",
        "unix:///run/r.sock?db=1",
    ],
)
def test_one_server_is_left_to_redis_py(url: str) -> None:
    address = parse(url)
    assert (address.kind, address.url) == ("server", url)


def test_several_nodes_are_a_cluster() -> None:
    address = parse("redis://user:p%40ss@one:7000,two,[2001:db8::1]:7002/0")
    assert address.kind == "cluster"
    assert address.nodes == (("one", 7000), ("two", 6379), ("2001:db8::1", 7002))
    assert address.options == {"username": "user", "password": "p@ss"}


def test_a_cluster_with_one_address_for_all_says_that_it_is_one() -> None:
    address = parse("rediss+cluster://clustercfg.example:6380?ssl_cert_reqs=none")
    assert (address.kind, address.nodes) == ("cluster", (("clustercfg.example", 6380),))
    assert address.options == {"ssl": True, "ssl_cert_reqs": "none"}


def test_sentinels_have_a_login_of_their_own() -> None:
    address = parse("redis+sentinel://user:p@one,two:5000/mymaster/3?sentinel_username=s&sentinel_password=w%26")
    assert (address.kind, address.master) == ("sentinel", "mymaster")
    assert address.nodes == (("one", 26379), ("two", 5000))
    assert address.options == {"username": "user", "password": "p", "db": 3}
    assert address.sentinel_options == {"username": "s", "password": "w&"}


def test_with_tls_sentinels_are_spoken_to_in_it_too() -> None:
    address = parse("rediss+sentinel://one/mymaster?ssl_ca_certs=/ca.pem")
    assert address.options == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert address.sentinel_options == {"ssl": True, "ssl_ca_certs": "/ca.pem", "username": None, "password": None}


@pytest.mark.parametrize("url", ["rediss://h", "rediss+sentinel://h/m"])
def test_tls_is_in_the_connections(settings: ServiceSettings, url: str) -> None:
    client = redis_module.connect(settings.model_copy(update={"redis_url": SecretStr(url)}))
    assert issubclass(client.connection_pool.connection_class, SSLConnection)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://:{SECRET}@h", "must be like redis://"),
        (f"redis://:{SECRET}", "must name hosts"),
        (f"redis://:{SECRET}@h:port", "must name hosts"),
        (f"redis://:{SECRET}@h:70000", "must name hosts"),
        (f"redis://:{SECRET}@h:1,,h:2", "must name hosts"),
        (f"redis://:{SECRET}/{SECRET}@h", "must "),
        (f"redis://:{SECRET}@h/{SECRET}", "must end with the number of a database"),
        (f"redis://:{SECRET}@h1,h2/1", "has no database but 0"),
        (f"redis://:{SECRET}@h1,h2?db=1", "has no database but 0"),
        (f"redis+sentinel://:{SECRET}@h", "must name the master"),
        (f"redis+sentinel://:{SECRET}@h/m/x", "must end with the number of a database"),
        (f"redis://:{SECRET}@h?sentinel_password={SECRET}", "unknown option: sentinel_password"),
        (f"redis://:{SECRET}@h?color=red", "unknown option: color"),
        (f"redis://:{SECRET}@h?db={SECRET}", "an option with a wrong value"),
        (f"unix://:{SECRET}@/run/r.sock?db={SECRET}", "an option with a wrong value"),
    ],
)
def test_a_wrong_one_stops_the_start_with_one_line_that_shows_no_password(
    own_database: str, monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SystemExit) as caught:
        load_settings(Settings)
    line = str(caught.value.code)
    assert why in line
    assert line.startswith("Settings: cannot start, wrong settings: REDIS_URL: ")
    assert "\n" not in line
    assert SECRET not in line


def test_an_address_shows_no_password_when_it_is_printed() -> None:
    for url in (f"redis://:{SECRET}@h", f"redis://:{SECRET}@h1,h2", f"redis+sentinel://:{SECRET}@h/m"):
        assert SECRET not in f"{parse(url)} {parse(url)!r}"


async def test_a_socket_of_the_machine_serves_both_kinds_of_client(settings: ServiceSettings, tmp_path: Path) -> None:
    node = Node(tmp_path / "node", {"unixsocket": tmp_path / "valkey.sock"})
    try:
        node.start()
        url = SecretStr(f"unix://:{ESCAPED}@{tmp_path}/valkey.sock?db=3")
        there = settings.model_copy(update={"redis_url": url})
        client, blocking = redis_module.connect(there), redis_module.connect_blocking(there)
        await client.set("who", "we")
        assert blocking.get("who") == b"we"
        assert client.connection_pool.connection_kwargs["password"] == PASSWORD
        blocking.close()
        await client.aclose()
    finally:
        node.kill()
