"""The test's service on a master with Sentinels and on a Cluster: each is started once, and these tests run on both."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from intervai_local import topologies
from intervai_local.topologies import Topology
from intervai_shared.settings import ServiceSettings


@pytest.fixture(scope="session")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with topologies.sentinels(tmp_path_factory.mktemp("valkeys") / "sentinels") as running:
        yield running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with topologies.cluster(tmp_path_factory.mktemp("valkeys") / "cluster") as running:
        yield running


@pytest.fixture(params=["sentinels", "cluster"])
def topology(request: pytest.FixtureRequest) -> Topology:
    running: Topology = request.getfixturevalue(request.param)
    running.mend()  # what another test has killed
    return running


@pytest.fixture
def settings(settings: ServiceSettings, topology: Topology) -> ServiceSettings:
    return settings.model_copy(update={"redis_url": SecretStr(topology.url)})
