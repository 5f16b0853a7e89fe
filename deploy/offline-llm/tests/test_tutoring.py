"""Rewriting and explaining without a model: sensible, within the schema, and the same each time."""

from typing import Any

import pytest

from offline_llm import bank
from offline_llm.tutoring import explained, rewritten

BANK = bank.load()
PYTHON = next(topic for topic in BANK.topics if topic.name == "Python")
QUESTION = {**PYTHON.questions[0], "category": "Python"}


def ask(**fields: Any) -> dict[str, Any]:
    return {"role": "Engineer", "experience": "senior", "question": QUESTION, "instruction": None, **fields}


def test_another_question_of_the_same_topic_and_difficulty_is_given() -> None:
    [found] = rewritten(BANK, ask())["questions"]
    assert found["text"] != QUESTION["text"]
    assert (found["category"], found["difficulty"]) == ("Python", QUESTION["difficulty"])
    assert rewritten(BANK, ask()) == rewritten(BANK, ask())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"difficulty": "hard"}, "hard"),
        ({"instruction": "Make it harder!", "question": {**QUESTION, "difficulty": "easy"}}, "medium"),
        ({"instruction": "an easier one", "question": {**QUESTION, "difficulty": "easy"}}, "easy"),
        ({"instruction": "more advanced", "question": {**QUESTION, "difficulty": "medium"}}, "hard"),
    ],
)
def test_the_wished_difficulty_is_kept(fields: dict[str, Any], expected: str) -> None:
    assert rewritten(BANK, ask(**fields))["questions"][0]["difficulty"] == expected


def test_what_is_excluded_never_comes_and_in_the_end_there_is_none() -> None:
    seen: list[str] = []
    while found := rewritten(BANK, ask(exclude=seen))["questions"]:
        assert found[0]["text"] not in seen
        seen.append(found[0]["text"])
    assert len(seen) > 3


@pytest.mark.parametrize("data", [{}, {"question": None}, {"question": {"category": 1}, "exclude": [1, None]}])
def test_wrong_data_are_taken_as_not_said(data: dict[str, Any]) -> None:
    assert len(rewritten(BANK, data)["questions"]) == 1


def test_an_explanation_goes_through_the_answer_and_its_points() -> None:
    made = explained(BANK, QUESTION)
    assert 1 <= len(made["sections"]) <= 5
    assert made["sections"][0]["text"].split()[0] == QUESTION["answer"].split()[0]
    assert all(QUESTION["keyPoints"][number] in line for number, line in enumerate(made["commonMistakes"]))
    assert QUESTION["text"] not in made["furtherReading"]
    assert explained(BANK, {})["sections"]
