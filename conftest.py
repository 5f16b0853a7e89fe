"""Fixtures of all tests. They run beside a suite that `make test` starts for them, on the real parts."""

import json
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from bson import ObjectId
from pymongo import MongoClient, monitoring

from intervai_local import topologies
from intervai_shared.shard_checks import Sharding, ShardWatch
from intervai_shared.testing import NewPerson, Person

PASSWORD = "correct horse battery"
#: A file for one certificate; it goes with this process.
AUTHORITY = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115
END = "-----END CERTIFICATE-----\n"


#: Sees the commands of every Mongo client that is made in this process, but for those that a test makes with listeners
#: of its own and none of these.
SHARDS = ShardWatch(
    Sharding.of_file(Path(__file__).parent / "deploy/mongo/sharding.json"),
    ("intervai_shared.", "auth_service.", "user_service.", "qa_service.", "export_service."),
)
monitoring.register(SHARDS)


def pytest_configure() -> None:
    """Stops early, and says why, when there is no suite to test against."""
    if "GATEWAY_URL" not in os.environ:
        pytest.exit('These tests need a running suite: `make test`, or `make test ARGS="qa-service/tests -k pin"`.', 4)
    # Each client of httpx reads the certificates of all authorities, which takes longer than most requests. These tests
    # meet none of them, nor do the processes that they start.
    AUTHORITY.write(certifi.contents().partition(END)[0] + END)
    AUTHORITY.flush()
    os.environ["SSL_CERT_FILE"] = AUTHORITY.name
    # A shell lets what it starts in the background ignore Ctrl-C, and so would the processes that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def shard_keys() -> Iterator[ShardWatch]:
    """No query of ours of a sharded collection lacks the shard key, whatever the test does; see deploy/mongo."""
    SHARDS.found.clear()
    yield SHARDS
    assert not SHARDS.found, "no shard key, and not in `scattered` of deploy/mongo/sharding.json"


@pytest.fixture
def gateway_url() -> str:
    """The public entry point."""
    return os.environ["GATEWAY_URL"]


@pytest.fixture
async def gateway(gateway_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token. It reads no certificates, which takes 27 ms: the gateway speaks plain HTTP here."""
    async with httpx.AsyncClient(base_url=gateway_url, timeout=20, verify=False) as client:
        yield client


@pytest.fixture
async def new_person(gateway: httpx.AsyncClient) -> AsyncIterator[NewPerson]:
    """Registers people through the gateway."""
    clients: list[httpx.AsyncClient] = []

    async def register() -> Person:
        email = f"{secrets.token_hex(8)}@example.com"
        body = {"email": email, "password": PASSWORD, "fullName": "Ada Lovelace"}
        answer = await gateway.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        tokens = answer.json()
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        clients.append(httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=20, verify=False))
        return Person(ObjectId(tokens["user"]["id"]), email, clients[-1], tokens)

    yield register
    for client in clients:
        await client.aclose()


@pytest.fixture
async def person(new_person: NewPerson) -> Person:
    """One signed-in person."""
    return await new_person()


@pytest.fixture(scope="session")
def redis_beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], str]]:
    """Gives a `REDIS_URL` of which the running suite knows nothing: of its server, the database of that number. A
    Cluster has no other database: there it is a Cluster of the tests' own, the same one for each number."""
    url = os.environ["REDIS_URL"]
    if os.environ.get("REDIS") != "cluster":
        yield lambda number: f"{url.removesuffix('/0')}/{number}"
        return
    with topologies.cluster(tmp_path_factory.mktemp("redis") / "cluster", replicas=0) as own:
        yield lambda _: own.url


class Databases:
    """A database for the tests of each service, which each finds empty, and one of its own for each other test.

    A service's indexes stay: to make them anew takes half a second, longer than most tests. A test that adds one
    of its own, or a validator, is marked `spoils_database`: also when it fails, the next one must not meet them.
    """

    def __init__(self, client: MongoClient[Any]) -> None:
        self._client = client
        self._names: dict[str, str] = {}

    def of(self, folder: str) -> str:
        """The name of that for a test in this folder of the top level."""
        new = f"test_{secrets.token_hex(6)}"
        return self._names.setdefault(folder, new) if folder.endswith("-service") else new

    def empty(self, name: str, *, spoiled: bool) -> None:
        """Makes it so for the next test of the service; drops a test's own, and one that is `spoiled`."""
        # A process that a test has killed in a transaction leaves it open, and what would delete what it has written
        # waits for it. Others' transactions are tried again by their drivers.
        self._client.admin.command("killAllSessions", [])
        if spoiled or name not in self._names.values():
            self._client.drop_database(name)
            return
        database = self._client[name]
        for collection in database.list_collection_names():
            if database[collection].find_one({}, {"_id": True}):
                database[collection].delete_many({})

    def drop(self) -> None:
        """All of them."""
        self._client.admin.command("killAllSessions", [])  # the engine stands still when it drops what one has written
        for name in self._names.values():
            self._client.drop_database(name)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    with MongoClient[Any](os.environ["MONGO_URI"]) as client:
        made = Databases(client)
        yield made
        made.drop()


@pytest.fixture
def own_database(
    request: pytest.FixtureRequest,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    redis_beside: Callable[[int], str],
) -> Iterator[str]:
    """Settings in the environment for a service inside the test process: a database for itself, empty, and a Redis
    beside the suite's, so that the running suite's workers see nothing of it."""
    name = databases.of(request.path.relative_to(request.config.rootpath).parts[0])
    monkeypatch.setenv("MONGO_DATABASE", name)
    monkeypatch.setenv("REDIS_URL", redis_beside(1))
    monkeypatch.setenv("SERVICE_CLIENT_ID", "export-service")
    monkeypatch.setenv("SERVICE_CLIENT_SECRET", _secret_of("export-service"))
    yield name
    databases.empty(name, spoiled=request.node.get_closest_marker("spoils_database") is not None)


def _secret_of(service: str) -> str:
    return str(json.loads(os.environ["SERVICE_CLIENTS"])[service])
