"""Which question comes next, without any parts."""

from typing import Any

from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from qa_service.mock_interviews.choosing import LEVELS, choose, wanted_level

TOPICS = ("SQL", "Go", "Testing")


def pool(count: int) -> list[dict[str, Any]]:
    kinds = [(topic, level) for topic in TOPICS for level in LEVELS]
    return [
        {"_id": ObjectId(), "text": str(n), "category": kinds[n % 9][0], "difficulty": kinds[n % 9][1]}
        for n in range(count)
    ]


def asked(question: dict[str, Any], skipped: bool = False) -> dict[str, Any]:
    return {**question, "question": question["_id"], "skipped": skipped}


@given(st.integers(1, 30), st.lists(st.integers(0, 100) | st.none(), max_size=40), st.text(max_size=5))
def test_any_course_of_an_interview_asks_each_question_once_and_the_same_again(
    count: int, scores: list[int | None], seed: str
) -> None:
    questions = pool(count)

    def course() -> list[ObjectId]:
        entries: list[dict[str, Any]] = []
        known: dict[ObjectId, int] = {}
        for score in [*scores, *[None] * count]:
            found = choose(questions, entries, known, seed)
            if found is None:
                break
            entries.append(asked(found))
            if score is not None:
                known[found["_id"]] = score
        return [entry["question"] for entry in entries]

    first = course()
    assert sorted(first) == sorted(question["_id"] for question in questions)
    assert course() == first


def test_a_weak_topic_comes_back_before_the_strong_ones() -> None:
    questions = pool(27)
    medium = {question["category"]: question for question in questions if question["difficulty"] == "medium"}
    for weak in TOPICS:
        strong = [topic for topic in TOPICS if topic != weak]
        entries = [asked(medium[topic]) for topic in (weak, *strong)]
        scores = {medium[topic]["_id"]: 60 for topic in strong} | {medium[weak]["_id"]: 10}
        chosen = [choose(questions, entries, scores, str(seed)) for seed in range(20)]
        assert {found["category"] for found in chosen if found} == {weak}


def test_the_level_stays_within_easy_and_hard_and_a_skipped_question_counts_as_weak() -> None:
    questions = pool(9)
    entries = [asked(question) for question in questions[:4]]
    ids = [entry["question"] for entry in entries]
    assert wanted_level(entries, {}) == 1
    assert wanted_level(entries, dict.fromkeys(ids, 100)) == 2
    assert wanted_level(entries, dict.fromkeys(ids, 0)) == 0
    assert wanted_level([asked(questions[0], skipped=True)], {}) == 0
    assert wanted_level(entries, {ids[0]: 69, ids[1]: 45}) == 1
