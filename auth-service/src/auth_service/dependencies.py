"""Dependencies of auth-service's routes."""

from typing import Annotated

from fastapi import Depends, Request

from auth_service.caller import Caller
from intervai_shared.http.address import client_address

#: Characters of a User-Agent header that are kept.
LONGEST_USER_AGENT = 256


async def _caller(request: Request) -> Caller:
    said = request.headers.get("user-agent", "")
    printable = "".join(character for character in said if character.isprintable())
    return Caller(client_address(request), printable[:LONGEST_USER_AGENT])


CallerOf = Annotated[Caller, Depends(_caller)]
