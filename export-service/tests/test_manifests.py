"""Manifests: what a file was when it was made, signed, so that anybody can tell whether it has changed."""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from fastapi import FastAPI
from pydantic import SecretStr

from export_service.exports.maker import ExportMaker
from export_service.settings import ExportSettings
from intervai_shared.mongo import Database
from intervai_shared.settings import load_settings
from intervai_shared.signing import RecordSigner
from intervai_shared.testing import NewPerson

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


@pytest.fixture
async def ready(start: Start, maker: ExportMaker) -> ObjectId:
    """A JSON export that is ready."""
    export_id = await start("json", onlyPinned=True)
    await maker.run(export_id)
    return export_id


@pytest.fixture
async def manifest(ready: ObjectId, api: httpx.AsyncClient) -> dict[str, Any]:
    """Its manifest with what it says."""
    answer = await api.get(f"{PATH}/{ready}/manifest")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
async def anybody(app: FastAPI, api: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """The running API, for somebody without a token."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def body_of(bucket: Any, export_id: ObjectId) -> bytes:
    (stored,) = bucket.of(export_id)
    return bytes(stored.body)


async def test_a_manifest_tells_of_the_file_and_the_published_key_checks_it(
    manifest: dict[str, Any], ready: ObjectId, api: httpx.AsyncClient, bucket: Any, session_id: str
) -> None:
    (key,) = jwt.PyJWKSet.from_dict((await api.get(f"{PATH}/keys")).json()).keys
    claims = jwt.decode(manifest["manifest"], key, algorithms=["EdDSA"])
    export = (await api.get(f"{PATH}/{ready}")).json()
    body = body_of(bucket, ready)
    assert claims == {
        "iss": load_settings(ExportSettings).token_issuer,
        "iat": claims["iat"],
        "exportId": str(ready),
        "sessionId": session_id,
        "sessionIds": None,
        "format": "json",
        "options": export["options"],
        "contentHash": export["contentHash"],
        "sha256": hashlib.sha256(body).hexdigest(),
        "sizeBytes": len(body),
        "fileName": "Ada-s-interview.json",
        "madeAt": claims["madeAt"],
    }
    assert manifest == {**claims, "manifest": manifest["manifest"]}


async def test_the_manifest_of_a_bundle_names_all_its_sessions(
    api: httpx.AsyncClient, maker: ExportMaker, session_id: str, bucket: Any
) -> None:
    answer = await api.post(f"{PATH}/bundle", json={"sessionIds": [session_id], "format": "md"})
    assert answer.status_code == 202, answer.text
    bundle_id = ObjectId(answer.json()["id"])
    await maker.run(bundle_id)
    told = (await api.get(f"{PATH}/{bundle_id}/manifest")).json()
    assert (told["sessionId"], told["sessionIds"], told["format"]) == (None, [session_id], "zip")
    assert told["sha256"] == hashlib.sha256(body_of(bucket, bundle_id)).hexdigest()


async def test_the_manifest_of_an_export_is_always_the_same(
    manifest: dict[str, Any], ready: ObjectId, api: httpx.AsyncClient
) -> None:
    assert (await api.get(f"{PATH}/{ready}/manifest")).json() == manifest


async def test_while_an_export_is_not_ready_there_is_no_manifest(
    start: Start, api: httpx.AsyncClient, database: Database
) -> None:
    export_id = await start()
    for status in ("queued", "running", "failed", "cancelled"):
        await database.exports.update_one({"_id": export_id}, {"$set": {"status": status}})
        refused = await api.get(f"{PATH}/{export_id}/manifest")
        assert (refused.status_code, refused.json()["detail"]) == (409, f"The export is not ready: {status}.")


async def test_a_file_from_before_there_were_manifests_has_none(
    ready: ObjectId, api: httpx.AsyncClient, database: Database
) -> None:
    await database.exports.update_one({"_id": ready}, {"$unset": {"sha256": "", "contentHash": "", "dedupe": ""}})
    refused = await api.get(f"{PATH}/{ready}/manifest")
    assert (refused.status_code, "again" in refused.json()["detail"]) == (409, True)
    assert (await api.get(f"{PATH}/{ready}")).json()["sha256"] is None


async def test_nobody_else_gets_a_manifest(ready: ObjectId, api: httpx.AsyncClient, new_person: NewPerson) -> None:
    stranger = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    assert (await api.get(f"{PATH}/{ready}/manifest", headers=stranger)).status_code == 404


async def test_the_file_as_it_was_made_is_ours_and_unchanged(
    manifest: dict[str, Any], ready: ObjectId, anybody: httpx.AsyncClient, bucket: Any
) -> None:
    digest = hashlib.sha256(body_of(bucket, ready)).hexdigest()
    claims = {name: value for name, value in manifest.items() if name != "manifest"}
    for written in (digest, digest.upper()):
        answer = await anybody.post(f"{PATH}/verify", json={"manifest": manifest["manifest"], "sha256": written})
        assert answer.status_code == 200
        assert answer.json() == {"isOurs": True, "isUnchanged": True, "reason": None, "claims": claims}


async def test_a_file_with_one_other_byte_is_told_from_it(
    manifest: dict[str, Any], ready: ObjectId, api: httpx.AsyncClient, bucket: Any
) -> None:
    body = body_of(bucket, ready)
    changed = hashlib.sha256(body[:-1] + b"x").hexdigest()
    verdict = (await api.post(f"{PATH}/verify", json={"manifest": manifest["manifest"], "sha256": changed})).json()
    assert (verdict["isOurs"], verdict["isUnchanged"]) == (True, False)
    assert "other bytes" in verdict["reason"]
    assert verdict["claims"]["sha256"] == hashlib.sha256(body).hexdigest()


def forged(token: str) -> dict[str, str]:
    """What somebody may try without our key, by what it is."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    settings = load_settings(ExportSettings)
    other = SecretStr(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    deep = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
    return {
        "another file's hash": ".".join([head, _part({**claims, "sha256": "0" * 64}), signature]),
        "another kind of record": RecordSigner(settings.record_signing_key, "erasure").sign(claims),
        "another key": RecordSigner(other, "export-manifest").sign(claims),
        "no signature": ".".join([_part({"alg": "none", "typ": "export-manifest+jwt"}), payload, "AA"]),
        "a secret of their own": jwt.encode(
            claims, "secret" * 8, algorithm="HS256", headers={"typ": "export-manifest+jwt"}
        ),
        "no JSON": "AAAA.AAAA.AAAA",
        "a deep header": f"{deep}.{payload}.{signature}",
    }


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_what_we_have_not_signed_as_a_manifest_is_not_ours(
    manifest: dict[str, Any], api: httpx.AsyncClient
) -> None:
    for name, token in forged(manifest["manifest"]).items():
        answer = await api.post(f"{PATH}/verify", json={"manifest": token, "sha256": "0" * 64})
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["reason"].startswith("It was not signed by us"), name
        assert (answer.json()["isOurs"], answer.json()["isUnchanged"], answer.json()["claims"]) == (False, False, None)


async def test_the_keys_need_no_token_and_may_be_kept(anybody: httpx.AsyncClient) -> None:
    keys = await anybody.get(f"{PATH}/keys")
    assert (keys.status_code, keys.headers["cache-control"]) == (200, "public, max-age=3600")
    (key,) = keys.json()["keys"]
    assert key.keys() == {"crv", "kty", "x", "kid", "alg", "use"}
    again = await anybody.get(f"{PATH}/keys", headers={"If-None-Match": keys.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for closed in (f"{PATH}/{ObjectId()}/manifest", PATH, f"{PATH}/{ObjectId()}"):
        assert (await anybody.get(closed)).status_code == 401
    assert (await anybody.delete(f"{PATH}/keys")).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"manifest": "garbage", "sha256": "0" * 64}, "manifest"),
        ({"manifest": "a.b.c" + "c" * 16_384, "sha256": "0" * 64}, "manifest"),
        ({"manifest": 7, "sha256": "0" * 64}, "manifest"),
        ({"manifest": "a.b.c", "sha256": "0" * 63}, "sha256"),
        ({"manifest": "a.b.c", "sha256": "g" * 64}, "sha256"),
        ({"manifest": "a.b.c"}, "sha256"),
        ({"manifest": "a.b.c", "sha256": "0" * 64, "file": "x"}, "file"),
    ],
)
async def test_what_has_not_the_shape_of_a_check_is_refused(
    anybody: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await anybody.post(f"{PATH}/verify", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
