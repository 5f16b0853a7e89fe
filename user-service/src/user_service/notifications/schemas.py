"""Requests and answers of the notification routes."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints, model_validator

from intervai_shared.models import Id, InputModel, Page, UtcTime, WireModel

#: A kind is also the field of the preferences that switches it off.
Kind = Literal["questionsGenerated", "exportReady", "newLogin"]
NotificationId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{24}$")]


class Notification(WireModel):
    """Something that happened. `data` says to what: `sessionId` and `jobId`, or `exportId`, or whence a login came."""

    id: Id = Field(
        validation_alias=AliasChoices("_id", "id"), serialization_alias="id", examples=["665f1c2e9b1d8a0012345678"]
    )
    kind: Kind
    title: str = Field(examples=["10 new questions are ready"])
    text: str | None = None
    data: dict[str, Any]
    read_at: UtcTime | None = None
    created_at: UtcTime


class NotificationPage(Page[Notification]):
    """`unreadCount` counts all of the person's, not only those on the page."""

    unread_count: int


class ReadRequest(InputModel):
    """Which ones have been read: some by their ids, or all."""

    ids: Annotated[list[NotificationId], Field(min_length=1, max_length=100)] | None = None
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReadRequest":
        if (self.ids is None) == (self.all is None):
            raise ValueError("give either `ids` or `all`")
        return self


class ReadAnswer(WireModel):
    """How many were unread till now, and how many still are."""

    marked: int
    unread_count: int
