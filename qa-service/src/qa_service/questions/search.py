"""Fuzzy search over a person's own questions: fetched by index, ranked here. So it works on every Mongo engine, and
what is typed is never a part of a query."""

import asyncio
import re
import unicodedata
from collections.abc import Iterable

from bson import ObjectId

from intervai_shared.http.paging import ListOrder
from intervai_shared.models import Document
from qa_service.questions.repository import QuestionRepository

#: How many questions, the newest, are looked at.
MOST_QUESTIONS = 10_000
#: How much of each answer is looked at.
ANSWER_CHARS = 300
MOST_WORDS = 12
#: What a word is worth by where it stands.
WEIGHTS = {"text": 1.0, "category": 0.9, "answer": 0.6}
#: 0 to 100: how alike two words must be, and what a question must come to.
ALIKE = 75
ENOUGH = 50
#: Words so short are a part of too many others: they must be there as they are.
SHORT = 3
#: What the beginning of a word is worth against the whole word.
PREFIX = 90
#: So many questions are ranked on the event loop; more would hold it up.
ON_THE_LOOP = 100
_WORD = re.compile(r"[\w+#.]+")
BEST_FIRST = ListOrder({"score": int, "_id": ObjectId})


class QuestionSearch:
    """Of questions of one owner at a time."""

    def __init__(self, questions: QuestionRepository) -> None:
        self._questions = questions
        # What is ranked beside the loop shares the interpreter with it: one at a time leaves it enough.
        self._turn = asyncio.Semaphore(1)

    async def page(self, user: ObjectId, query: str, filters: Document, limit: int, cursor: str | None) -> Document:
        """A page of what fits, the best first, then the newest. `filters`: isPinned, difficulty, session."""
        after = BEST_FIRST.position(cursor)
        candidates = await self._questions.newest(user, filters, MOST_QUESTIONS, ANSWER_CHARS)
        if len(candidates) <= ON_THE_LOOP:
            ranked = rank(query, candidates)
        else:
            async with self._turn:
                ranked = await asyncio.to_thread(rank, query, candidates)
        if after:
            ranked = [found for found in ranked if [found["score"], found["_id"]] < after]
        page = BEST_FIRST.page(ranked[: limit + 1], limit)
        whole = await self._questions.get_many(user, [found["_id"] for found in page["items"]])
        items = [{**whole[found["_id"]], **found} for found in page["items"] if found["_id"] in whole]
        return {**page, "items": items}


def rank(query: str, questions: Iterable[Document]) -> list[Document]:
    """`{_id, score}` of those that fit, the best first, then the newest."""
    wanted = list(dict.fromkeys(words(query)))[:MOST_WORDS]
    fields = [(question["_id"], _words_by_field(question)) for question in questions]
    vocabulary = {word for _, of_question in fields for found in of_question.values() for word in found}
    alike = {word: _alike(word, vocabulary) for word in wanted}
    scored = [{"_id": question_id, "score": _score(alike, of_question)} for question_id, of_question in fields]
    fitting = [found for found in scored if found["score"] >= ENOUGH]
    return sorted(fitting, key=lambda found: (found["score"], found["_id"]), reverse=True)


def words(text: str) -> list[str]:
    """In lower case; `+`, `#` and `.` within a word stay, or C++, C# and .NET were lost."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in (found.rstrip(".") for found in _WORD.findall(folded)) if word]


def _words_by_field(question: Document) -> dict[str, set[str]]:
    return {field: set(words(question[field])) for field in WEIGHTS}


def _alike(word: str, vocabulary: set[str]) -> dict[str, float]:
    """How much each of these words is like this one, 0 to 100; only those that are enough."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415  who does not search does without

    found: dict[str, float] = {word: 100.0} if word in vocabulary else {}
    if len(word) <= SHORT:
        return found
    longer = {each: float(PREFIX) for each in vocabulary if each.startswith(word) and each != word}
    close = process.extract(word, list(vocabulary), scorer=fuzz.ratio, score_cutoff=ALIKE, limit=None)
    return {**longer, **{each: score for each, score, _ in close if score > longer.get(each, 0)}, **found}


def _score(alike: dict[str, dict[str, float]], fields: dict[str, set[str]]) -> int:
    """The mean over the wanted words, long ones counting more, of the best place where each stands."""
    total = sum(len(word) for word in alike)
    score = sum(len(word) * _best(likenesses, fields) for word, likenesses in alike.items())
    return round(score / total) if total else 0


def _best(likenesses: dict[str, float], fields: dict[str, set[str]]) -> float:
    found = (
        WEIGHTS[field] * likenesses[word] for field, of_field in fields.items() for word in likenesses.keys() & of_field
    )
    return max(found, default=0.0)
