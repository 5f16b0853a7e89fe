"""Redis over TLS: who is spoken to has a certificate that somebody trusted vouches for."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from intervai_local.state import HOST, free_port
from intervai_local.topologies import ESCAPED, Node, until
from intervai_shared import redis as redis_module
from intervai_shared.settings import ServiceSettings

FORMS = {"server": "rediss://:{password}@{host}:{port}/0?", "cluster": "rediss+cluster://:{password}@{host}:{port}?"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine that vouches for itself; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "valkey")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(private)
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return tmp_path / "certificate.pem"


async def serve_tls(certificate: Path, port: int, to_port: int) -> asyncio.Server:
    """TLS in front of a server that has none."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, to_port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return await asyncio.start_server(carry, HOST, port, ssl=context)


@pytest.fixture(params=FORMS)
async def url(request: pytest.FixtureRequest, certificate: Path, tmp_path: Path) -> AsyncIterator[str]:
    """That of a server, or of a Cluster of one, but for the certificate to trust."""
    port = free_port()
    clustered = {"cluster-enabled": "yes", "cluster-port": free_port(), "cluster-announce-port": port}
    node = Node(tmp_path / "node", clustered if request.param == "cluster" else {})
    try:
        node.start()
        if request.param == "cluster":
            node.ask("CLUSTER ADDSLOTSRANGE", 0, 16_383)
            until(lambda: node.ask("CLUSTER INFO")["cluster_state"] == "ok", "the Cluster is there")
        server = await serve_tls(certificate, port, node.port)
        yield FORMS[request.param].format(password=ESCAPED, host=HOST, port=port)
        server.close()
    finally:
        node.kill()


def at(settings: ServiceSettings, url: str) -> ServiceSettings:
    return settings.model_copy(update={"redis_url": SecretStr(url)})


async def test_both_kinds_of_client_speak_it(
    settings: ServiceSettings, url: str, certificate: Path, service: str
) -> None:
    trusting = at(settings, f"{url}ssl_ca_certs={certificate}")
    client, blocking = redis_module.connect(trusting), redis_module.connect_blocking(trusting)
    await client.set(service, "value")
    assert await asyncio.to_thread(lambda: blocking.get(service)) == b"value"
    blocking.close()
    await client.aclose()


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    settings: ServiceSettings, url: str, service: str
) -> None:
    client, blocking = redis_module.connect(at(settings, url)), redis_module.connect_blocking(at(settings, url))
    with pytest.raises(RedisConnectionError):
        await client.get(service)
    with pytest.raises(RedisConnectionError):
        await asyncio.to_thread(lambda: blocking.get(service))
    await client.aclose()
