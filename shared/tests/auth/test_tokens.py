"""What the token verifier lets through, and what it remembers."""

import base64
import time
from typing import Any

import pytest
from bson import ObjectId
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis.asyncio import Redis

from intervai_shared.auth import keys, tokens
from intervai_shared.auth.principal import Service
from intervai_shared.auth.revocations import Revocations
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.resources import open_resources
from intervai_shared.settings import ServiceSettings
from intervai_shared.testing import Person


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unsigned(token: str) -> str:
    """The same claims under the algorithm `none`."""
    return ".".join([_base64('{"alg": "none", "kid": "k1"}'), token.split(".")[1], ""])


@pytest.fixture
def revocations(redis: Redis) -> Revocations:
    return Revocations(redis, 600)


@pytest.fixture
def verifier(issuer: Any, revocations: Revocations) -> TokenVerifier:
    return TokenVerifier(
        issuer.key_set, revocations, issuer="https://intervai.example", audience="intervai", service="qa-service"
    )


async def test_a_real_access_token_of_auth_service_is_its_owner(settings: ServiceSettings, person: Person) -> None:
    async with open_resources(settings, {}) as resources:
        user = await resources.verifier.user(person.tokens["accessToken"])
    assert user.id == person.id


async def test_a_good_token_is_its_user(verifier: TokenVerifier, issuer: Any) -> None:
    user_id, ends = ObjectId(), int(time.time()) + 60
    user = await verifier.user(issuer.token(sub=str(user_id), sid="s9", roles=["admin"], exp=ends))
    assert (user.id, user.session_id, user.roles, user.expires_at) == (user_id, "s9", frozenset({"admin"}), ends)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": "qa-service"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1_700_000_000},
        {"nbf": 9_000_000_000},
        {"sub": "no-object-id"},
        {"sub": "service:qa-service"},
        {"sid": None},
        *({name: None} for name in ("iss", "aud", "sub", "iat", "exp", "jti")),
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_or_missing_claim_is_no_user(
    verifier: TokenVerifier, issuer: Any, claims: dict[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.user(issuer.token(**claims))


async def test_a_token_signed_by_another_key_under_our_kid_is_refused(verifier: TokenVerifier, issuer: Any) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.user(issuer.token(key=Ed25519PrivateKey.generate()))


async def test_a_token_of_another_algorithm_is_refused_though_its_secret_is_our_public_key(
    verifier: TokenVerifier, issuer: Any
) -> None:
    secret = issuer.keys["k1"].public_key().public_bytes_raw()
    for forged in (issuer.token(key=secret, algorithm="HS256"), _unsigned(issuer.token())):
        with pytest.raises(UnauthenticatedError):
            await verifier.user(forged)


async def test_a_token_changed_in_any_part_is_refused(verifier: TokenVerifier, issuer: Any) -> None:
    good = issuer.token()
    other = issuer.token(sub=str(ObjectId()))
    for part in range(3):
        parts = good.split(".")
        parts[part] = other.split(".")[part] if part else parts[0][::-1]
        with pytest.raises(UnauthenticatedError):
            await verifier.user(".".join(parts))


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "ÿ.ÿ.ÿ", "eyJ" * 4000, "\x00", _base64("[" * 5000) + ".e30.e30"]
)
async def test_what_is_no_token_at_all_is_refused(verifier: TokenVerifier, text: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.user(text)


async def test_a_service_token_counts_only_at_the_service_that_it_is_for(verifier: TokenVerifier, issuer: Any) -> None:
    ends = int(time.time()) + 60
    ours = issuer.token(sub="service:export-service", aud="qa-service", exp=ends, sid=None)
    assert await verifier.service(ours) == Service("export-service", ends)
    with pytest.raises(UnauthenticatedError):
        await verifier.service(issuer.token(sub="service:export-service", aud="user-service", sid=None))


async def test_a_user_and_a_service_never_pass_for_each_other_even_from_memory(
    verifier: TokenVerifier, issuer: Any
) -> None:
    user, service = issuer.token(), issuer.token(sub="service:export-service", aud="qa-service")
    for _ in range(2):
        await verifier.user(user)
        await verifier.service(service)
        with pytest.raises(UnauthenticatedError):
            await verifier.service(user)
        with pytest.raises(UnauthenticatedError):
            await verifier.user(service)


async def test_a_token_in_memory_ends_when_it_expires(verifier: TokenVerifier, issuer: Any, clock_of: Any) -> None:
    clock = clock_of(tokens)
    token = issuer.token(exp=int(time.time()) + 60)
    await verifier.user(token)
    clock.ahead = 50
    await verifier.user(token)
    clock.ahead = 61
    with pytest.raises(UnauthenticatedError, match="expired"):
        await verifier.user(token)
    assert not verifier._verified


async def test_a_token_in_memory_ends_when_its_session_is_revoked(
    verifier: TokenVerifier, issuer: Any, revocations: Revocations, service: str
) -> None:
    token, other = issuer.token(sid=service), issuer.token(sid=f"{service}-other")
    await verifier.user(token)
    await revocations.publish(service)
    with pytest.raises(UnauthenticatedError, match="logged out"):
        await verifier.user(token)
    await verifier.user(other)


async def test_memory_of_tokens_is_bounded_and_what_it_dropped_is_verified_again(
    verifier: TokenVerifier, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "VERIFIED_TOKENS", 3)
    made = [issuer.token() for _ in range(5)]
    for token in made:
        await verifier.user(token)
    assert list(verifier._verified) == made[2:]
    await verifier.user(made[0])


async def test_a_refused_token_takes_no_place_in_memory(verifier: TokenVerifier, issuer: Any) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.user(issuer.token(aud="another"))
    assert not verifier._verified


async def test_a_remembered_token_is_refused_once_its_key_is_published_no_more(
    verifier: TokenVerifier, issuer: Any, clock_of: Any
) -> None:
    clock = clock_of(keys)
    token = issuer.token(exp=int(time.time()) + 10**9)  # as who has stolen the key would make it
    await verifier.user(token)
    issuer.keys["k2"] = issuer.keys.pop("k1")
    clock.ahead = keys.REFRESH_SECONDS + 1
    await verifier.user(token)  # has the keys fetched
    await issuer.key_set._refreshing
    with pytest.raises(UnauthenticatedError, match="unknown key"):
        await verifier.user(token)


async def test_what_a_revoked_key_has_signed_is_refused_remembered_or_not(
    verifier: TokenVerifier, issuer: Any, revocations: Revocations
) -> None:
    leaked = f"leaked-{ObjectId()}"  # other tests read the same stream
    issuer.keys[leaked] = Ed25519PrivateKey.generate()
    remembered, unseen, other = issuer.token(kid=leaked), issuer.token(kid=leaked), issuer.token()
    await verifier.user(remembered)
    await revocations.publish_key(leaked)
    for token in (remembered, unseen):
        with pytest.raises(UnauthenticatedError, match="good no more"):
            await verifier.user(token)
    await verifier.user(other)


async def test_a_token_of_an_issuer_whose_clock_is_a_little_ahead_is_good_and_one_from_far_ahead_is_not(
    verifier: TokenVerifier, issuer: Any
) -> None:
    now = int(time.time())
    assert await verifier.user(issuer.token(iat=now + 5))
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await verifier.user(issuer.token(iat=now + 60))
    with pytest.raises(UnauthenticatedError, match="expired"):
        await verifier.user(issuer.token(iat=now - 600, exp=now - 1))
