"""HTTP of sessions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CallingService, CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page, Text
from intervai_shared.mongo import compact, object_id
from qa_service.sessions.cloning import SessionCloner
from qa_service.sessions.import_schemas import SessionImport
from qa_service.sessions.importing import SessionImporter
from qa_service.sessions.schemas import (
    Session,
    SessionChange,
    SessionClone,
    SessionStart,
    SessionWithQuestions,
    StartedSession,
    Status,
)
from qa_service.sessions.service import SessionService

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
IMPORT_PATH = "/api/v1/sessions/import"
internal = APIRouter(prefix="/internal", tags=["internal"])
Sessions = Annotated[SessionService, Depends(provide(lambda container: container.sessions))]
Cloner = Annotated[SessionCloner, Depends(provide(lambda container: container.cloner))]
Importer = Annotated[SessionImporter, Depends(provide(lambda container: container.importer))]
#: A body that may be left out.
SessionCloneBody = Annotated[SessionClone, Body(default_factory=SessionClone)]


@router.post("", status_code=201, response_model=StartedSession)
async def start_session(body: SessionStart, user: CurrentUser, sessions: Sessions) -> Any:
    """Makes a session and starts its first generation."""
    return await sessions.start(user.id, body)


@router.post("/import", status_code=201, response_model=Session)
async def import_session(body: SessionImport, user: CurrentUser, importer: Importer) -> Any:
    """Makes a session of an exported file of the format `json`, with at most 2,000 questions. Starts no generation."""
    return await importer.import_session(user.id, body)


@router.get("", response_model=Page[Session])
async def list_sessions(
    user: CurrentUser,
    sessions: Sessions,
    archived: bool = False,
    status: Status | None = None,
    q: Annotated[Text | None, Query(max_length=200, description="A piece of the session's title.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Any:
    """One's sessions, the newest first: those that are not archived, or the archived ones."""
    filters = compact({"archived": archived, "status": status, "q": q})
    return await sessions.page(user.id, filters, limit, cursor)


@router.get("/{session_id}", response_model=Session)
async def get_session(session_id: IdPath, user: CurrentUser, sessions: Sessions) -> Any:
    """One session."""
    return await sessions.get(user.id, object_id(session_id))


@router.patch("/{session_id}", response_model=Session)
async def change_session(session_id: IdPath, body: SessionChange, user: CurrentUser, sessions: Sessions) -> Any:
    """Changes the fields that are given."""
    return await sessions.change(user.id, object_id(session_id), body)


@router.delete("/{session_id}", status_code=204)
async def delete_session(session_id: IdPath, user: CurrentUser, sessions: Sessions) -> None:
    """Removes a session with its questions."""
    await sessions.delete(user.id, object_id(session_id))


@router.post("/{session_id}/archive", response_model=Session)
async def archive_session(session_id: IdPath, user: CurrentUser, sessions: Sessions) -> Any:
    """Puts a session away: it leaves the list and can be read, but not be changed."""
    return await sessions.archive(user.id, object_id(session_id))


@router.post("/{session_id}/restore", response_model=Session)
async def restore_session(session_id: IdPath, user: CurrentUser, sessions: Sessions) -> Any:
    """Takes a session out of the archive."""
    return await sessions.restore(user.id, object_id(session_id))


@router.post("/{session_id}/clone", status_code=201, response_model=Session)
async def clone_session(session_id: IdPath, body: SessionCloneBody, user: CurrentUser, cloner: Cloner) -> Any:
    """A new session with copies of the questions."""
    return await cloner.clone(user.id, object_id(session_id), body)


@internal.get("/users/{user_id}/sessions/{session_id}", response_model=SessionWithQuestions)
async def session_with_questions(user_id: IdPath, session_id: IdPath, _: CallingService, sessions: Sessions) -> Any:
    """All of a user's session, for the service that exports it."""
    return await sessions.with_questions(object_id(user_id), object_id(session_id))
