"""A certificate by ACME (RFC 8555), from an authority as small as can be: the settings alone lead to it."""

import base64
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DOMAIN = "gateway.example.com"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authority:
    """Gives a certificate to who answers for DOMAIN at `web`. `seen` are the steps that were gone."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.root = self.sign(self.name, self.key.public_key(), constraints)
        self.web, self.url, self.thumbprint, self.chain = "", "", "", b""
        self.knows_web = threading.Event()
        self.status = "pending"
        self.seen: list[str] = []

    def sign(self, name: x509.Name, key: Any, extension: x509.ExtensionType) -> x509.Certificate:
        now = datetime.now(UTC)
        begin, end = now - timedelta(hours=1), now + timedelta(days=90)
        builder = x509.CertificateBuilder(self.name, name, key, x509.random_serial_number(), begin, end)
        return builder.add_extension(extension, critical=True).sign(self.key, hashes.SHA256())

    def answer(self, step: str, payload: Any, jwk: Any) -> tuple[int, Any]:
        """The status and the body that the step of this name has."""
        order = {
            "identifiers": [{"type": "dns", "value": DOMAIN}],
            "authorizations": [f"{self.url}/authorization"],
            "finalize": f"{self.url}/finalize",
        }
        challenge = {"type": "http-01", "url": f"{self.url}/challenge", "token": TOKEN}
        match step:
            case "account":
                members = json.dumps({name: jwk[name] for name in sorted(jwk)}, separators=(",", ":"))  # RFC 7638
                digest = hashlib.sha256(members.encode()).digest()
                self.thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                return 201, {"status": "valid"}
            case "order":
                return 201, {"status": self.status, **order}
            case "challenge":
                self.validate()
                return 200, {**challenge, "status": self.status}
            case "authorization":
                body = {"status": self.status, "identifier": order["identifiers"][0]}
                return 200, {**body, "challenges": [{**challenge, "status": self.status}]}
            case "finalize":
                self.issue(x509.load_der_x509_csr(decode(payload["csr"])))
                return 200, {"status": "valid", "certificate": f"{self.url}/certificate", **order}
        return 200, self.chain

    def validate(self) -> None:
        """RFC 8555, section 8.3: by plain HTTP, which the gateway otherwise only redirects."""
        assert self.knows_web.wait(60)
        path = f"{self.web}/.well-known/acme-challenge/{TOKEN}"
        told = httpx.get(path, headers={"Host": DOMAIN}, trust_env=False)
        self.status = "valid" if told.text == f"{TOKEN}.{self.thumbprint}" else "invalid"

    def issue(self, request: x509.CertificateSigningRequest) -> None:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        made = self.sign(x509.Name([]), request.public_key(), names)
        self.chain = pem(made, self.root)


class Handler(BaseHTTPRequestHandler):
    authority: Authority

    def do_GET(self) -> None:
        url = self.authority.url
        self.send(200, {f"new{name}": f"{url}/{name.lower()}" for name in ("Nonce", "Account", "Order")})

    def do_HEAD(self) -> None:
        self.send(200, b"")

    def do_POST(self) -> None:
        signed = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        payload = decode(signed["payload"])
        step = self.path.removeprefix("/")
        self.authority.seen.append(step)
        jwk = json.loads(decode(signed["protected"])).get("jwk")
        self.send(*self.authority.answer(step, json.loads(payload) if payload else None, jwk))

    def send(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = "application/pem-certificate-chain" if isinstance(body, bytes) else "application/json"
        for name, value in {
            "Content-Type": kind,
            "Content-Length": len(content),
            "Replay-Nonce": base64.urlsafe_b64encode(str(time.monotonic_ns()).encode()).rstrip(b"=").decode(),
            "Location": f"{self.authority.url}{self.path}",
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Over TLS, since clients of ACME take nothing else; its root is in `tmp_path / "root.pem"`."""
    made, key = Authority(), ec.generate_private_key(ec.SECP256R1())
    own = made.sign(made.name, key.public_key(), x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]))
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "root.pem").write_bytes(pem(made.root))
    (tmp_path / "server.pem").write_bytes(key.private_bytes(*pkcs8) + pem(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"authority": made}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"https://127.0.0.1:{server.server_address[1]}"
    return made


def test_settings_alone_lead_to_a_certificate(
    authority: Authority, start_edge: Callable[..., Any], tmp_path: Path
) -> None:
    storage = tmp_path / "acme.json"
    edge = start_edge(
        GATEWAY_TLS="acme",
        ACME_DOMAINS=DOMAIN,
        ACME_EMAIL="ops@example.com",
        ACME_CA_SERVER=f"{authority.url}/directory",
        ACME_CA_CERTIFICATES=str(tmp_path / "root.pem"),
        ACME_STORAGE=str(storage),
    )
    authority.web = f"http://127.0.0.1:{edge.port}"
    authority.knows_web.set()
    trusting = ssl.create_default_context(cafile=tmp_path / "root.pem")
    ends = (
        time.monotonic() + 100
    )  # Traefik makes itself an RSA key of 4,096 bits first: seconds, or a minute on a busy machine
    while True:
        plain = socket.create_connection(("127.0.0.1", edge.tls_port), 10)
        try:
            with trusting.wrap_socket(plain, server_hostname=DOMAIN) as connection:
                assert connection.version() == "TLSv1.3"
                break
        except ssl.SSLCertVerificationError:  # so far it shows one of its own
            assert time.monotonic() < ends, (authority.seen, edge.log.read_text())
            time.sleep(0.2)
    assert authority.seen[:2] == ["account", "order"]
    assert authority.seen[-1] == "certificate"
    assert storage.stat().st_mode & 0o077 == 0
    assert edge.public.get("/api/v1/sessions").status_code == 301
