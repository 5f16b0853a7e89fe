"""HTTP of unsubscribing, for mail programs."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse

from auth_service.weekly_review.unsubscribing import PATH, Unsubscribing
from intervai_shared.app import provide

router = APIRouter(prefix=PATH, tags=["letters"])
Service = Annotated[Unsubscribing, Depends(provide(lambda container: container.unsubscribing))]
#: The token in the letter is the proof; a mail program has no other.
PUBLIC = frozenset({PATH + "/{token}"})


@router.post("/{token}", status_code=204)
async def unsubscribe(token: str, unsubscribing: Service) -> None:
    """Ends the weekly letters of the person whose letter held the token. The body, fixed by RFC 8058, adds nothing."""
    await unsubscribing.unsubscribe(token)


@router.get("/{token}", status_code=303)
async def show_preferences(token: str, unsubscribing: Service) -> RedirectResponse:
    """Leads somebody who has opened the link to their preferences, and changes nothing: scanners open links too."""
    unsubscribing.check(token)
    return RedirectResponse(unsubscribing.preferences_page, 303)
