"""Signing in and out, through the gateway."""

import httpx
import jwt

from intervai_shared.testing import Person


async def test_a_person_signs_in_refreshes_and_signs_out(person: Person, gateway: httpx.AsyncClient) -> None:
    credentials = {"email": person.email.upper(), "password": "correct horse battery"}
    signed_in = await gateway.post("/api/v1/auth/login", json=credentials)
    assert signed_in.status_code == 200
    first = signed_in.json()
    assert first["user"]["id"] == str(person.id)
    assert (first["tokenType"], first["expiresIn"]) == ("Bearer", 600)

    refreshed = await gateway.post("/api/v1/auth/refresh", json={"refreshToken": first["refreshToken"]})
    assert refreshed.status_code == 200
    second = refreshed.json()
    assert second["refreshToken"] != first["refreshToken"]
    own = {"Authorization": f"Bearer {second['accessToken']}"}
    assert (await gateway.get("/api/v1/users/me", headers=own)).json()["email"] == person.email

    assert (await gateway.post("/api/v1/auth/logout", headers=own)).status_code == 204
    for token in (first["refreshToken"], second["refreshToken"]):
        refused = await gateway.post("/api/v1/auth/refresh", json={"refreshToken": token})
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    # The log-in of the registration is another session, and goes on.
    assert (await person.http.get("/api/v1/users/me")).status_code == 200


async def test_a_token_is_checked_with_the_published_keys_alone(person: Person, gateway: httpx.AsyncClient) -> None:
    published = await gateway.get("/.well-known/jwks.json")
    assert published.headers["cache-control"] == "public, max-age=300"
    token = person.tokens["accessToken"]
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(published.json()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="intervai")
    assert claims["sub"] == str(person.id)
    assert {"iss", "sid", "roles", "scope", "iat", "exp", "jti"} <= claims.keys()


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    person: Person, gateway: httpx.AsyncClient
) -> None:
    problems = []
    for email in (person.email, "nobody-" + person.email):
        answer = await gateway.post("/api/v1/auth/login", json={"email": email, "password": "wrong horse battery"})
        assert answer.status_code == 401
        problems.append({**answer.json(), "requestId": ""})
    assert problems[0] == problems[1]
