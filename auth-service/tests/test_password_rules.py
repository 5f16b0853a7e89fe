"""Promises about which passwords are taken, and about hashes made with older settings."""

import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any

import argon2
import httpx
import pytest

from auth_service.accounts.password_rules import check_password
from auth_service.container import AuthContainer
from intervai_shared.errors import InvalidError
from intervai_shared.mongo import Database

AUTH = "/api/v1/auth"
EMAIL = "ada.lovelace@example.com"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


@pytest.mark.parametrize(
    "password",
    ["password", "PASSWORD", "password1", "12345678", "qwertyuiop", "iloveyou", "1qaz2wsx", "football", "trustno1"],
)
def test_what_everybody_tries_first_is_refused_whatever_its_case(password: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_password(password, EMAIL)
    assert refused.value.extra["errors"][0]["field"] == "password"


@pytest.mark.parametrize(
    "password", ["my ADA.Lovelace 1", "ada.lovelace", "ada.lovelace@example.com", "aaaaaaaaaaaaaa"]
)
def test_the_own_address_and_one_letter_over_and_over_are_refused(password: str) -> None:
    with pytest.raises(InvalidError):
        check_password(password, EMAIL)


@pytest.mark.parametrize("password", ["correct horse battery", "zwölf Boxkämpfer", "no digits no signs", "8 chars!"])
def test_length_is_enough_and_nothing_of_a_composition_is_asked(password: str) -> None:
    check_password(password, EMAIL)


def test_a_name_of_few_letters_is_in_too_many_good_passwords() -> None:
    check_password("a canadian horse", "ada@example.com")


async def test_the_refusal_says_why_and_nothing_is_stored(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any]
) -> None:
    answer = await auth.post(f"{AUTH}/register", json=registration | {"password": "Password1"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "password"
    assert "most common" in error["message"]
    assert await database.accounts.count_documents({}) == 0


async def test_letters_that_look_the_same_are_the_same_password(
    auth: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    password = "Zwölf Boxkämpfer jagen"
    composed, apart = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))
    assert composed != apart
    await auth.post(f"{AUTH}/register", json=registration | {"password": composed})
    login = await auth.post(f"{AUTH}/login", json={"email": registration["email"], "password": apart})
    assert login.status_code == 200


async def test_a_log_in_renews_a_hash_of_older_settings_and_only_then(
    start: Start, auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    async def stored() -> str:
        account = await database.accounts.find_one()
        assert account is not None
        return str(account["passwordHash"])

    first, (stricter, _) = await stored(), await start(ARGON2_MEMORY_KIB="16384")
    login = {"email": registration["email"], "password": registration["password"]}
    wrong = await stricter.post(f"{AUTH}/login", json=login | {"password": "wrong horse battery"})
    assert wrong.status_code == 401
    assert await stored() == first
    assert (await stricter.post(f"{AUTH}/login", json=login)).status_code == 200
    second = await stored()
    assert argon2.extract_parameters(second).memory_cost == 16384
    assert (await stricter.post(f"{AUTH}/login", json=login)).status_code == 200
    assert await stored() == second


async def test_a_hash_that_was_changed_meanwhile_is_not_put_back(
    container: AuthContainer, database: Database, signed_up: dict[str, Any]
) -> None:
    account = await database.accounts.find_one()
    assert account is not None
    await container.accounts._accounts.replace_hash(account["_id"], "another", "late")
    assert (await database.accounts.find_one()) == account
