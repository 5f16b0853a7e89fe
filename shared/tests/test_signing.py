"""A signed record can be checked by anybody, and made by nobody else."""

import base64

import jwt
import pytest
from pydantic import SecretStr, ValidationError

from intervai_shared.settings import ServiceSettings
from intervai_shared.signing import RecordSigner, SigningSettings


def secret(byte: int) -> SecretStr:
    return SecretStr(base64.urlsafe_b64encode(bytes([byte] * 32)).decode())


def test_the_published_key_checks_the_record() -> None:
    signer = RecordSigner(secret(1), "erasure")
    record = signer.sign({"iss": "us", "counts": {"a": 1}})
    [key] = jwt.PyJWKSet.from_dict(signer.jwks()).keys
    assert jwt.decode(record, key, algorithms=["EdDSA"]) == {"iss": "us", "counts": {"a": 1}}
    assert jwt.get_unverified_header(record) == {"alg": "EdDSA", "kid": key.key_id, "typ": "erasure+jwt"}
    assert "d" not in signer.jwks()["keys"][0]


def test_the_same_secret_gives_the_same_key_in_every_process() -> None:
    assert RecordSigner(secret(1), "erasure").jwks() == RecordSigner(secret(1), "erasure").jwks()


@pytest.mark.parametrize(("byte", "kind"), [(2, "erasure"), (1, "manifest")])
def test_another_secret_or_another_kind_of_record_has_another_key(byte: int, kind: str) -> None:
    [key] = jwt.PyJWKSet.from_dict(RecordSigner(secret(1), "erasure").jwks()).keys
    other = RecordSigner(secret(byte), kind)
    assert other.jwks()["keys"][0]["kid"] != key.key_id
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(other.sign({}), key, algorithms=["EdDSA"])


def test_a_record_is_read_back_whatever_times_it_tells_of() -> None:
    signer, claims = RecordSigner(secret(1), "manifest"), {"iat": 4_000_000_000, "exp": 1, "aud": "all", "a": [1]}
    assert signer.claims(signer.sign(claims)) == claims


@pytest.mark.parametrize(("byte", "kind"), [(2, "manifest"), (1, "erasure")])
def test_a_record_of_another_key_or_kind_is_none_of_ours(byte: int, kind: str) -> None:
    assert RecordSigner(secret(1), "manifest").claims(RecordSigner(secret(byte), kind).sign({})) is None


def test_a_token_of_our_key_with_another_type_is_none_of_ours() -> None:
    signer = RecordSigner(secret(1), "manifest")
    token = jwt.encode({}, signer._private, algorithm="EdDSA", headers={"typ": "JWT"})
    assert signer.claims(token) is None


@pytest.mark.parametrize("text", ["", "a.b.c", "é", base64.urlsafe_b64encode(b"[" * 50_000).decode() + ".e30.AA"])
def test_text_that_is_no_record_is_none_of_ours(text: str) -> None:
    assert RecordSigner(secret(1), "manifest").claims(text) is None


def test_the_key_id_is_its_thumbprint_as_the_rfc_makes_it() -> None:
    """RFC 8037, appendix A.3, has this key and its thumbprint."""
    signer = RecordSigner(secret(1), "erasure")
    signer._jwk = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert signer.thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_receipt_is_256_bits_that_only_the_secret_makes() -> None:
    signer = RecordSigner(secret(1), "erasure")
    receipts = {signer.receipt("a"), signer.receipt("b"), RecordSigner(secret(2), "erasure").receipt("a")}
    assert len(receipts) == 3
    assert signer.receipt("a") == RecordSigner(secret(1), "erasure").receipt("a")
    assert {len(receipt) for receipt in receipts} == {43}


@pytest.mark.parametrize("value", ["", "short", "not base64url é", base64.urlsafe_b64encode(bytes(31)).decode()])
def test_a_key_that_is_none_stops_the_start_and_is_not_shown(settings: ServiceSettings, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SigningSettings(service="any", record_signing_key=SecretStr(value))
    [error] = refused.value.errors(include_input=False)
    assert error["loc"] == ("record_signing_key",)
