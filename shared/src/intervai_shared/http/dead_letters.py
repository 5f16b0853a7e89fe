"""The dead letters of a service over HTTP, for operators: on the internal entry point, with a token of their client."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from intervai_shared.auth.dependencies import CallingService
from intervai_shared.errors import ForbiddenError
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.messaging.dead_letters import DeadLetters
from intervai_shared.models import Id, Page, UtcTime, WireModel
from intervai_shared.mongo import object_id

#: The client among auth-service's `SERVICE_CLIENTS` whose secret those have who may mend things.
OPERATOR = "operator"


class Trace(WireModel):
    """What the message was part of."""

    request_id: str | None = None
    traceparent: str | None = None


class DeadLetter(WireModel):
    """A message that was given up. `reason`: `failed`, `killed its worker`, `too old` or `unknown actor`."""

    id: Id = Field(validation_alias="_id")
    queue: str
    actor: str
    args: list[Any]
    reason: str
    error: str
    traceback: str | None
    retries: int
    trace: Trace
    state: Literal["dead", "replayed", "dropped"]
    sent_at: UtcTime
    died_at: UtcTime
    closed_at: UtcTime | None


async def _operator(service: CallingService) -> None:
    if service.name != OPERATOR:
        raise ForbiddenError("This is for operators only.")


async def _letters(request: Request) -> DeadLetters:
    letters: DeadLetters = request.app.state.container.resources.dead_letters
    return letters


Letters = Annotated[DeadLetters, Depends(_letters)]
router = APIRouter(prefix="/internal/dead-letters", tags=["operators"], dependencies=[Depends(_operator)])


@router.get("", response_model=Page[DeadLetter])
async def list_letters(
    letters: Letters,
    queue: Annotated[str | None, Query(max_length=100)] = None,
    state: Literal["dead", "replayed", "dropped"] = "dead",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Any:
    """The newest first."""
    return await letters.page(limit, cursor, queue=queue, state=state)


@router.get("/{letter_id}", response_model=DeadLetter)
async def show(letter_id: IdPath, letters: Letters) -> Any:
    """One letter, with the error and the trace."""
    return await letters.get(object_id(letter_id))


@router.post("/{letter_id}/replay", response_model=DeadLetter)
async def replay(letter_id: IdPath, letters: Letters) -> Any:
    """Its message is sent anew; a job that had failed with it waits again."""
    return await letters.replay(object_id(letter_id))


@router.delete("/{letter_id}", response_model=DeadLetter)
async def drop(letter_id: IdPath, letters: Letters) -> Any:
    """Nobody wants it done any more. It stays for a look for 30 days."""
    return await letters.drop(object_id(letter_id))
