"""The self-made certificate of the local gateway: who trusts this file trusts the gateway of this suite."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from intervai_local.state import write_private

#: Apple's programs refuse longer ones: https://support.apple.com/en-us/103769
LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
NAMES = ("localhost", "127.0.0.1", "::1")


def ensure(folder: Path, *names: str, now: datetime | None = None) -> tuple[Path, Path]:
    """The files of a certificate for these names and this machine's own, and of its key. Both are made anew when they
    are missing, or end within 30 days, or lack a name.

    Returns:
        The certificate's path and the key's, both PEM; only their owner may read them.
    """
    certificate, key, today = folder / "certificate.pem", folder / "key.pem", now or datetime.now(UTC)
    wanted = [general_name(name) for name in dict.fromkeys((*NAMES, *names))]
    if not (key.exists() and certificate.exists() and is_good(certificate.read_bytes(), wanted, today)):
        folder.mkdir(mode=0o700, exist_ok=True)
        private = ec.generate_private_key(ec.SECP256R1())
        pkcs8 = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(key, private.private_bytes(serialization.Encoding.PEM, *pkcs8).decode())
        pem = make(private, wanted, today).public_bytes(serialization.Encoding.PEM)
        write_private(certificate, pem.decode())
    return certificate, key


def general_name(name: str) -> x509.GeneralName:
    """An address or a host name as a certificate holds it (RFC 5280, section 4.2.1.6)."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def is_good(pem: bytes, names: list[x509.GeneralName], now: datetime) -> bool:
    found = x509.load_pem_x509_certificate(pem)
    held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return now + RENEW_BEFORE < found.not_valid_after_utc and all(name in list(held) for name in names)


def make(key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], now: datetime) -> x509.Certificate:
    """A certificate signed by its own key, for TLS servers only: it can vouch for no other one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "InterVAI on this machine")])
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName(names), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + LIFETIME,
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())
