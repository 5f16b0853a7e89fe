"""What `REDIS_URL` says: one server, a master that Sentinels know, or a Cluster. The forms: deploy/redis/README.md."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import redis
from redis.connection import parse_url

Kind = Literal["server", "sentinel", "cluster"]
Node = tuple[str, int]

_URL = re.compile(
    r"(?P<scheme>rediss?)(?P<kind>\+sentinel|\+cluster)?://"
    r"(?P<login>[^/?#]*@)?(?P<hosts>[^@/?#]+)(?:/(?P<path>[^?#]*))?(?P<query>\?[^#]*)?"
)
#: An IPv6 address stands in brackets (RFC 3986, section 3.2.2).
_NODE = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:]+)(?::(?P<port>\d{1,5}))?")
_PORTS: Mapping[Kind, int] = {"server": 6379, "sentinel": 26379, "cluster": 6379}
#: What may stand in the query: the arguments of redis-py's client, like `ssl_ca_certs`.
_OPTIONS = frozenset(inspect.signature(redis.Redis.__init__).parameters) | {"path"}
_SENTINEL_LOGIN = ("username", "password")


@dataclass(frozen=True, repr=False)
class RedisAddress:
    """Where Redis is and how to log in. Without a `repr`, since it holds passwords.

    `url` is for redis-py, if it is one server. Otherwise `nodes` are those of the Cluster, or the Sentinels, who know
    the master by the name `master`; `options` are for connections to Redis (user, password, database, TLS),
    `sentinel_options` for those to the Sentinels.
    """

    kind: Kind
    url: str = ""
    nodes: tuple[Node, ...] = ()
    master: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)


def parse(url: str) -> RedisAddress:
    """Reads a `REDIS_URL`. Raises ValueError, with a text that shows nothing of it."""
    if url.startswith("unix://"):
        _options(url, _OPTIONS)
        return RedisAddress("server", url)
    if not (parts := _URL.fullmatch(url)):
        raise ValueError("must be like redis://user:password@host:6379/0; escape / ? # @ in a password")
    if parts["kind"] == "+sentinel":
        return _sentinels(parts)
    if parts["kind"] == "+cluster" or "," in parts["hosts"]:
        return _cluster(parts)
    _nodes(parts, "server")
    _options_of(parts, parts["path"] or "", _OPTIONS)
    return RedisAddress("server", url)


def _sentinels(parts: re.Match[str]) -> RedisAddress:
    master, _, database = (parts["path"] or "").partition("/")
    if not master:
        raise ValueError("must name the master, like redis+sentinel://host:26379/mymaster/0")
    options = _options_of(parts, database, _OPTIONS | {f"sentinel_{name}" for name in _SENTINEL_LOGIN})
    login = {name: options.pop(f"sentinel_{name}", None) for name in _SENTINEL_LOGIN}
    tls = {name: value for name, value in options.items() if name.startswith("ssl")}
    return RedisAddress("sentinel", "", _nodes(parts, "sentinel"), master, options, {**tls, **login})


def _cluster(parts: re.Match[str]) -> RedisAddress:
    options = _options_of(parts, parts["path"] or "", _OPTIONS)
    if options.pop("db", 0):
        raise ValueError("names a Cluster, which has no database but 0")
    return RedisAddress("cluster", "", _nodes(parts, "cluster"), "", options)


def _nodes(parts: re.Match[str], kind: Kind) -> tuple[Node, ...]:
    found = [_NODE.fullmatch(text) for text in parts["hosts"].split(",")]
    nodes = [(node["host"].strip("[]"), int(node["port"] or _PORTS[kind])) for node in found if node]
    if len(nodes) < len(found) or not all(0 < port < 65_536 for _, port in nodes):
        raise ValueError("must name hosts like host:6379, several with commas between")
    return tuple(nodes)


def _options_of(parts: re.Match[str], database: str, allowed: frozenset[str]) -> dict[str, Any]:
    if database and not database.isdecimal():
        raise ValueError("must end with the number of a database, like /0")
    return _options(f"{parts['scheme']}://{parts['login'] or ''}host/{database}{parts['query'] or ''}", allowed)


def _options(url: str, allowed: frozenset[str]) -> dict[str, Any]:
    """What redis-py reads in a URL, but for the host; TLS as `ssl=True`, which clients of both kinds take."""
    try:
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError:  # its text may show a piece of the password
        raise ValueError("has an option with a wrong value") from None
    has_tls = options.pop("connection_class", None) is redis.SSLConnection
    options.pop("host", None)
    if unknown := sorted(set(options) - allowed):
        raise ValueError(f"has an unknown option: {unknown[0]}")
    return {**options, "ssl": True} if has_tls else options
