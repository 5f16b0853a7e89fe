"""Requests and answers of the profile routes."""

from functools import cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from intervai_shared.models import InputModel, Resource, Text


@cache  # it walks the whole directory of zones, each time
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})  # files beside the zones, not places


def _known_zone(value: str) -> str:
    if value not in _zones():
        raise ValueError("is not a time zone of the IANA database, e.g. Europe/Berlin")
    return value


Experience = Literal["intern", "junior", "mid", "senior", "lead"]
ShortText = Annotated[Text, StringConstraints(max_length=120)]
#: BCP 47, the part of it that people use.
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]


class _ProfileFields(Resource):
    email: str = Field(examples=["ada@example.com"])
    full_name: str = Field(examples=["Ada Lovelace"])
    headline: str | None = Field(None, examples=["Analyst and metaphysician"])
    target_role: str | None = Field(None, examples=["Backend engineer"])
    experience: Experience | None = None
    locale: str | None = Field(None, examples=["en-GB"])
    time_zone: str | None = Field(None, examples=["Europe/London"])


class StoredProfile(_ProfileFields):
    """A profile as it lies in Mongo and in the cache: with no signed URL, which would die there."""

    avatar_key: str | None = None


class Profile(_ProfileFields):
    """A person's own profile; `id` is the id of the account. `avatarUrl` works for an hour."""

    avatar_url: str | None = None


class ProfileChange(InputModel):
    """What to change; fields that are left out stay as they are, null empties those that may be empty."""

    full_name: Annotated[ShortText, StringConstraints(min_length=1)] = "-"
    headline: ShortText | None = None
    target_role: ShortText | None = None
    experience: Experience | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
