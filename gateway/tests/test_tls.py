"""TLS at the edge, with the certificate that the local runner makes: what is spoken, and how plain HTTP leads to it."""

import socket
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from cryptography import x509

from intervai_local import certificate


class Edge(Protocol):
    public: httpx.Client
    secure: httpx.Client
    internal: httpx.Client
    port: int
    tls_port: int
    state: Any


def trusting(edge: Edge) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=edge.state.root / "tls" / "certificate.pem")


def connect(edge: Edge, context: ssl.SSLContext, name: str = "localhost") -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", edge.tls_port), 10)
    return context.wrap_socket(plain, server_hostname=name)


def test_the_same_routes_answer_over_tls(furnished: Edge) -> None:
    told = furnished.secure.get("/api/v1/sessions").json()
    assert told["path"] == "/api/v1/sessions"
    assert told["headers"]["X-Forwarded-Proto"] == "https"
    assert furnished.secure.post("/api/v1/auth/login").status_code == 200
    for closed in ("/internal/x", "/health/ready", "/metrics", "/ping", "/qa-service/internal/x"):
        assert furnished.secure.get(closed).status_code == 404


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_it_speaks_the_newest_version_and_http_2(furnished: Edge, name: str) -> None:
    context = trusting(furnished)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(furnished, context, name) as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "h2"


def test_tls_1_2_has_forward_secrecy(furnished: Edge) -> None:
    context = trusting(furnished)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(furnished, context) as connection:
        cipher, version, _ = connection.cipher() or ("", "", 0)
        assert version == "TLSv1.2"
        assert cipher.startswith("ECDHE-")
        assert cipher.endswith(("GCM-SHA256", "GCM-SHA384", "CHACHA20-POLY1305"))
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        connect(furnished, context)


def test_tls_1_1_is_refused_by_the_gateway(furnished: Edge) -> None:
    context = trusting(furnished)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        connect(furnished, context)


def test_plain_http_only_tells_the_way(furnished: Edge) -> None:
    for path in ("/api/v1/sessions?limit=5", "/.well-known/jwks.json", "/nowhere"):
        answer = furnished.public.get(path, headers={"Host": "127.0.0.1"})
        assert answer.status_code == 301
        assert answer.headers["Location"] == f"https://127.0.0.1:{furnished.tls_port}{path}"
        assert "Strict-Transport-Security" not in answer.headers
    assert furnished.public.post("/api/v1/sessions").status_code == 308  # the method stays
    assert furnished.internal.get("/.well-known/jwks.json").status_code == 200


def test_strict_transport_security_is_said_over_tls_alone(furnished: Edge, edge: Edge) -> None:
    said = furnished.secure.get("/api/v1/sessions").headers["Strict-Transport-Security"]
    assert said == "max-age=600; includeSubDomains"
    assert "Strict-Transport-Security" not in edge.public.get("/api/v1/sessions").headers


def test_without_tls_there_is_no_second_port_and_no_redirect(edge: Edge) -> None:
    assert edge.public.get("/api/v1/sessions").status_code == 200
    with pytest.raises(httpx.ConnectError):
        edge.secure.get("/api/v1/sessions")
    assert "doesn't exist" not in (edge.state.logs / "traefik.log").read_text()


def read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_the_certificate_is_kept_and_renewed_before_it_ends(tmp_path: Path) -> None:
    today = datetime.now(UTC)
    file, key = certificate.ensure(tmp_path / "tls", now=today)
    first = read(file)
    assert key.stat().st_mode & 0o077 == 0
    certificate.ensure(tmp_path / "tls", now=today + certificate.LIFETIME - timedelta(days=31))
    assert read(file) == first
    certificate.ensure(tmp_path / "tls", now=today + certificate.LIFETIME - timedelta(days=29))
    assert read(file).not_valid_after_utc > first.not_valid_after_utc


def test_another_name_makes_another_certificate(tmp_path: Path) -> None:
    file, _ = certificate.ensure(tmp_path / "tls")
    certificate.ensure(tmp_path / "tls", "workstation.example", "192.0.2.7")
    names = read(file).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "workstation.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "192.0.2.7"]
