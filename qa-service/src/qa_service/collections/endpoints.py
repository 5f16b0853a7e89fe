"""HTTP of collections."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.errors import NotFoundError
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page
from intervai_shared.mongo import object_id
from qa_service.collections.schemas import (
    Collected,
    CollectedQuestion,
    Collection,
    CollectionChange,
    NewCollection,
    QuestionsToCollect,
)
from qa_service.collections.service import CollectionService

router = APIRouter(prefix="/api/v1/collections", tags=["collections"])
Collections = Annotated[CollectionService, Depends(provide(lambda container: container.collections))]


@router.post("", status_code=201, response_model=Collection)
async def make_collection(body: NewCollection, user: CurrentUser, collections: Collections) -> Any:
    """Makes an empty collection; 100 a person."""
    return await collections.make(user.id, body)


@router.get("", response_model=Page[Collection])
async def list_collections(
    user: CurrentUser, collections: Collections, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """One's collections, the newest first."""
    return await collections.page(user.id, limit, cursor)


@router.get("/{collection_id}", response_model=Collection)
async def get_collection(collection_id: IdPath, user: CurrentUser, collections: Collections) -> Any:
    """One collection."""
    return await collections.get(user.id, object_id(collection_id))


@router.patch("/{collection_id}", response_model=Collection)
async def change_collection(
    collection_id: IdPath, body: CollectionChange, user: CurrentUser, collections: Collections
) -> Any:
    """Renames or describes it."""
    return await collections.change(user.id, object_id(collection_id), body)


@router.delete("/{collection_id}", status_code=204)
async def delete_collection(collection_id: IdPath, user: CurrentUser, collections: Collections) -> None:
    """Removes it; its questions stay in their sessions."""
    await collections.delete(user.id, object_id(collection_id))


@router.get("/{collection_id}/questions", response_model=Page[CollectedQuestion])
async def list_collected(
    collection_id: IdPath, user: CurrentUser, collections: Collections, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """The questions of a collection, the last collected first."""
    return await collections.questions(user.id, object_id(collection_id), limit, cursor)


@router.post("/{collection_id}/questions", response_model=Collected)
async def collect_many(
    collection_id: IdPath, body: QuestionsToCollect, user: CurrentUser, collections: Collections
) -> Any:
    """Puts up to 100 questions of any sessions into it; a collection holds 1,000."""
    wanted = [object_id(each) for each in dict.fromkeys(body.ids)]
    done = await collections.collect(user.id, object_id(collection_id), wanted)
    return {"items": [{"id": each, "status": "done" if each in done else "notFound"} for each in wanted]}


@router.put("/{collection_id}/questions/{question_id}", status_code=204)
async def collect(collection_id: IdPath, question_id: IdPath, user: CurrentUser, collections: Collections) -> None:
    """Puts a question into it; it may be there already."""
    if not await collections.collect(user.id, object_id(collection_id), [object_id(question_id)]):
        raise NotFoundError("There is no such question.")


@router.delete("/{collection_id}/questions/{question_id}", status_code=204)
async def take_out(collection_id: IdPath, question_id: IdPath, user: CurrentUser, collections: Collections) -> None:
    """Takes a question out of it."""
    await collections.take_out(user.id, object_id(collection_id), object_id(question_id))
