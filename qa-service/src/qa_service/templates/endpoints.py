"""HTTP of templates."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page
from intervai_shared.mongo import object_id
from qa_service.sessions.schemas import StartedSession
from qa_service.shares.links import PRIVATE_HEADERS
from qa_service.templates.schemas import (
    NewTemplate,
    Recipe,
    SessionFromTemplate,
    Template,
    TemplateChange,
    TemplateLink,
    TemplateSharing,
)
from qa_service.templates.service import TemplateService

router = APIRouter(prefix="/api/v1", tags=["templates"])
Templates = Annotated[TemplateService, Depends(provide(lambda container: container.templates))]
#: Bodies that may be left out.
SessionFromTemplateBody = Annotated[SessionFromTemplate, Body(default_factory=SessionFromTemplate)]
TemplateSharingBody = Annotated[TemplateSharing, Body(default_factory=TemplateSharing)]


@router.post("/templates", status_code=201, response_model=Template)
async def add_template(body: NewTemplate, user: CurrentUser, templates: Templates) -> Any:
    """Saves a recipe of sessions."""
    return await templates.add(user.id, body)


@router.get("/templates", response_model=Page[Template])
async def list_templates(user: CurrentUser, templates: Templates, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """One's templates, the newest first."""
    return await templates.page(user.id, limit, cursor)


@router.get("/templates/{template_id}", response_model=Template)
async def get_template(template_id: IdPath, user: CurrentUser, templates: Templates) -> Any:
    """One template."""
    return await templates.get(user.id, object_id(template_id))


@router.patch("/templates/{template_id}", response_model=Template)
async def change_template(template_id: IdPath, body: TemplateChange, user: CurrentUser, templates: Templates) -> Any:
    """Changes the fields that are given."""
    return await templates.change(user.id, object_id(template_id), body)


@router.delete("/templates/{template_id}", status_code=204)
async def delete_template(template_id: IdPath, user: CurrentUser, templates: Templates) -> None:
    """Removes a template, and with it its link; sessions that were started from it stay."""
    await templates.delete(user.id, object_id(template_id))


@router.post("/templates/{template_id}/sessions", status_code=201, response_model=StartedSession)
async def start_from_template(
    template_id: IdPath, body: SessionFromTemplateBody, user: CurrentUser, templates: Templates
) -> Any:
    """Starts a session as the template says."""
    template = await templates.get(user.id, object_id(template_id))
    return await templates.start(user.id, template, body)


@router.post("/templates/{template_id}/share", status_code=201, response_model=TemplateLink)
async def share_template(
    template_id: IdPath, body: TemplateSharingBody, user: CurrentUser, templates: Templates, response: Response
) -> Any:
    """A secret link that shows the template to any signed-in person who has it; a former link works no longer."""
    response.headers.update(PRIVATE_HEADERS)
    return await templates.share(user.id, object_id(template_id), body.expires_in_hours)


@router.delete("/templates/{template_id}/share", status_code=204)
async def unshare_template(template_id: IdPath, user: CurrentUser, templates: Templates) -> None:
    """Ends the link at once."""
    await templates.unshare(user.id, object_id(template_id))


@router.get("/shared/templates/{token}", response_model=Recipe)
async def get_shared_template(token: str, _: CurrentUser, templates: Templates, response: Response) -> Any:
    """The template of a link, without whose it is."""
    response.headers.update(PRIVATE_HEADERS)
    return await templates.shared(token)


@router.post("/shared/templates/{token}/sessions", status_code=201, response_model=StartedSession)
async def start_from_shared_template(
    token: str, body: SessionFromTemplateBody, user: CurrentUser, templates: Templates
) -> Any:
    """Starts a session of one's own by the template of a link."""
    return await templates.start(user.id, await templates.shared(token), body)
