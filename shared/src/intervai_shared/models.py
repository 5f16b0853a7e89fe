"""Wire models: camelCase outside, snake_case inside, ids as 24 hex digits, times as RFC 3339 UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from bson import ObjectId
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Document = dict[str, Any]
ItemT = TypeVar("ItemT")


def utc_now() -> datetime:
    """Now, in UTC, cut to the milliseconds that Mongo keeps: what is answered equals what is read back."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _as_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    # A lone surrogate parses as JSON but is no UTF-8: neither Mongo nor a file can hold it.
    value.encode("utf-8", "strict")
    return value


#: An ObjectId of a document, as text.
Id = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, ObjectId) else value)]
UtcTime = Annotated[datetime, AfterValidator(_as_utc)]
#: What a person types: trimmed, storable.
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_no_nul)]


class WireModel(BaseModel):
    """Base of all request and response models."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class InputModel(WireModel):
    """A request body: unknown fields are refused, so that a typing error is seen and not lost."""

    model_config = ConfigDict(extra="forbid")


class Resource(WireModel):
    """A stored thing. Made from a Mongo document by `model_validate`."""

    id: Id = Field(
        validation_alias=AliasChoices("_id", "id"), serialization_alias="id", examples=["665f1c2e9b1d8a0012345678"]
    )
    created_at: UtcTime
    updated_at: UtcTime


class Page(WireModel, Generic[ItemT]):
    """One page of a list; `nextCursor` is null on the last."""

    items: list[ItemT]
    next_cursor: str | None = None
