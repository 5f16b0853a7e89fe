"""HTTP of questions."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page, Text
from intervai_shared.mongo import compact, object_id
from qa_service.questions.bulk import BulkService
from qa_service.questions.history import QuestionHistory
from qa_service.questions.schemas import (
    BulkRequest,
    BulkResult,
    Category,
    ChangeOfQuestion,
    Difficulty,
    FoundQuestion,
    NewQuestion,
    ObjectIdText,
    Question,
    QuestionChange,
    QuestionStats,
    Source,
)
from qa_service.questions.search import QuestionSearch
from qa_service.questions.service import QuestionService

router = APIRouter(prefix="/api/v1", tags=["questions"])
Questions = Annotated[QuestionService, Depends(provide(lambda container: container.questions))]
History = Annotated[QuestionHistory, Depends(provide(lambda container: container.question_history))]
Search = Annotated[QuestionSearch, Depends(provide(lambda container: container.question_search))]
Bulk = Annotated[BulkService, Depends(provide(lambda container: container.question_bulk))]


@router.get("/sessions/{session_id}/questions", response_model=Page[Question])
async def list_questions(
    session_id: IdPath,
    user: CurrentUser,
    questions: Questions,
    pinned: bool | None = None,
    difficulty: Difficulty | None = None,
    category: Category | None = None,
    source: Source | None = None,
    q: Annotated[Text | None, Query(max_length=200, description="A piece of the question's text.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Any:
    """The questions of a session: the pinned first, then the newest."""
    kind = {"difficulty": difficulty, "category": category, "source": source}
    filters = compact({"isPinned": pinned, **kind, "q": q})
    return await questions.page(user.id, object_id(session_id), filters, limit, cursor)


@router.get("/sessions/{session_id}/questions/stats", response_model=QuestionStats)
async def question_stats(session_id: IdPath, user: CurrentUser, questions: Questions) -> Any:
    """How many questions a session has: in all, pinned, and by difficulty, category and source."""
    return await questions.stats(user.id, object_id(session_id))


@router.post("/sessions/{session_id}/questions", status_code=201, response_model=Question)
async def add_question(session_id: IdPath, body: NewQuestion, user: CurrentUser, questions: Questions) -> Any:
    """Adds a question of one's own."""
    return await questions.add(user.id, object_id(session_id), body)


@router.get("/questions/search", response_model=Page[FoundQuestion])
async def search_questions(
    user: CurrentUser,
    search: Search,
    q: Annotated[Text, Query(min_length=1, max_length=200, description="Words; typing errors are forgiven.")],
    pinned: bool | None = None,
    difficulty: Difficulty | None = None,
    session: Annotated[ObjectIdText | None, Query(description="Only questions of this session.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Any:
    """One's own questions that fit best, of all sessions: looks at the newest 10,000."""
    filters = {"isPinned": pinned, "difficulty": difficulty, "session": object_id(session) if session else None}
    return await search.page(user.id, q, compact(filters), limit, cursor)


@router.post("/questions/bulk", response_model=BulkResult)
async def change_many(body: BulkRequest, user: CurrentUser, bulk: Bulk) -> Any:
    """Deletes, pins, unpins or rates up to 100 questions at once; tells what became of each."""
    return await bulk.do(user.id, body)


@router.get("/questions/{question_id}", response_model=Question)
async def get_question(
    question_id: IdPath,
    user: CurrentUser,
    questions: Questions,
    history: History,
    as_of: Annotated[AwareDatetime | None, Query(alias="asOf", description="Show it as it was then.")] = None,
) -> Any:
    """One question, as it is or as it was at a time."""
    if as_of is not None:
        return await history.as_of(user.id, object_id(question_id), as_of)
    return await questions.get(user.id, object_id(question_id))


@router.patch("/questions/{question_id}", response_model=Question)
async def change_question(question_id: IdPath, body: QuestionChange, user: CurrentUser, questions: Questions) -> Any:
    """Edits, pins or annotates a question."""
    return await questions.change(user.id, object_id(question_id), body)


@router.delete("/questions/{question_id}", status_code=204)
async def delete_question(question_id: IdPath, user: CurrentUser, questions: Questions) -> None:
    """Removes a question."""
    await questions.delete(user.id, object_id(question_id))


@router.get("/questions/{question_id}/history", response_model=Page[ChangeOfQuestion])
async def question_history(
    question_id: IdPath, user: CurrentUser, history: History, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """What a question has said before: every change of its content, the newest first."""
    return await history.page(user.id, object_id(question_id), limit, cursor)


@router.post("/questions/{question_id}/undo", response_model=Question)
async def undo_change(question_id: IdPath, user: CurrentUser, history: History) -> Any:
    """Takes back the last change of a question's content; again, the one before it."""
    return await history.step(user.id, object_id(question_id), "undo")


@router.post("/questions/{question_id}/redo", response_model=Question)
async def redo_change(question_id: IdPath, user: CurrentUser, history: History) -> Any:
    """Takes back the last undo, as long as nothing has been changed since."""
    return await history.step(user.id, object_id(question_id), "redo")
