"""Log-in with a second factor, through the gateway."""

import time

import httpx
import pyotp

from intervai_shared.testing import Person

MFA = "/api/v1/auth/mfa"
PASSWORD = "correct horse battery"


async def test_a_person_switches_it_on_logs_in_with_it_and_switches_it_off(
    person: Person, gateway: httpx.AsyncClient
) -> None:
    set_up = await person.http.post(f"{MFA}/totp/setup")
    assert set_up.status_code == 200, set_up.text
    assert set_up.headers["cache-control"] == "no-store"
    app = pyotp.parse_uri(set_up.json()["otpauthUri"])
    assert isinstance(app, pyotp.TOTP)
    confirmed = await person.http.post(f"{MFA}/totp/confirm", json={"code": app.now()})
    assert confirmed.status_code == 200, confirmed.text

    credentials = {"email": person.email, "password": PASSWORD}
    asked = await gateway.post("/api/v1/auth/login", json=credentials)
    assert set(asked.json()) == {"mfaRequired", "mfaToken", "expiresIn"}
    bearer = {"Authorization": f"Bearer {asked.json()['mfaToken']}"}
    assert (await gateway.get("/api/v1/users/me", headers=bearer)).status_code == 401

    proof = {"mfaToken": asked.json()["mfaToken"], "code": app.at(time.time(), counter_offset=1)}
    answer = await gateway.post(f"{MFA}/totp/verify", json=proof)
    assert answer.status_code == 200, answer.text
    signed_in = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
    assert (await gateway.get("/api/v1/sessions", headers=signed_in)).status_code == 200

    recovery = {"recoveryCode": confirmed.json()["recoveryCodes"][0]}
    again = await gateway.post("/api/v1/auth/reauthenticate", json=recovery, headers=signed_in)
    assert again.status_code == 200, again.text
    proven = {"Authorization": f"Bearer {again.json()['accessToken']}"}
    assert (await gateway.delete(f"{MFA}/totp", headers=proven)).status_code == 204
    assert "accessToken" in (await gateway.post("/api/v1/auth/login", json=credentials)).json()

    entries = (await gateway.get("/api/v1/auth/audit?limit=100", headers=proven)).json()["items"]
    happened = [entry["event"] for entry in reversed(entries) if entry["event"] != "account.registered"]
    assert happened == ["mfa.enabled", "login", "reauthenticated", "mfa.disabled", "login"]
