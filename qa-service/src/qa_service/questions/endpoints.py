"""HTTP of questions."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page, Text
from intervai_shared.mongo import compact, object_id
from qa_service.questions.schemas import Category, Difficulty, NewQuestion, Question, QuestionChange
from qa_service.questions.service import QuestionService

router = APIRouter(prefix="/api/v1", tags=["questions"])
Questions = Annotated[QuestionService, Depends(provide(lambda container: container.questions))]


@router.get("/sessions/{session_id}/questions", response_model=Page[Question])
async def list_questions(
    session_id: IdPath,
    user: CurrentUser,
    questions: Questions,
    pinned: bool | None = None,
    difficulty: Difficulty | None = None,
    category: Category | None = None,
    q: Annotated[Text | None, Query(max_length=200, description="A piece of the question's text.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Any:
    """The questions of a session: the pinned first, then the newest."""
    filters = compact({"isPinned": pinned, "difficulty": difficulty, "category": category, "q": q})
    return await questions.page(user.id, object_id(session_id), filters, limit, cursor)


@router.post("/sessions/{session_id}/questions", status_code=201, response_model=Question)
async def add_question(session_id: IdPath, body: NewQuestion, user: CurrentUser, questions: Questions) -> Any:
    """Adds a question of one's own."""
    return await questions.add(user.id, object_id(session_id), body)


@router.get("/questions/{question_id}", response_model=Question)
async def get_question(question_id: IdPath, user: CurrentUser, questions: Questions) -> Any:
    """One question."""
    return await questions.get(user.id, object_id(question_id))


@router.patch("/questions/{question_id}", response_model=Question)
async def change_question(question_id: IdPath, body: QuestionChange, user: CurrentUser, questions: Questions) -> Any:
    """Edits, pins or annotates a question."""
    return await questions.change(user.id, object_id(question_id), body)


@router.delete("/questions/{question_id}", status_code=204)
async def delete_question(question_id: IdPath, user: CurrentUser, questions: Questions) -> None:
    """Removes a question."""
    await questions.delete(user.id, object_id(question_id))
