"""Reading a reply while it comes, and what is taken of it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_service.generation.checking import ReplyCheck, leaks, tidied
from qa_service.generation.prompt import SYSTEM
from qa_service.generation.reading import QuestionReader

TEXT = st.text(alphabet=st.sampled_from('ab{}[]"\\\n,: é😀'))
QUESTION = st.fixed_dictionaries({"text": TEXT, "keyPoints": st.lists(TEXT, max_size=3), "more": st.just({"a": [{}]})})


@settings(deadline=None)
@given(st.lists(QUESTION, max_size=5), st.lists(st.integers(0, 400), max_size=20), st.booleans())
def test_wherever_a_reply_is_cut_into_pieces_the_same_questions_are_read(
    questions: list[Any], cuts: list[int], ascii_only: bool
) -> None:
    content = json.dumps({"questions": questions}, ensure_ascii=ascii_only)
    reader, found = QuestionReader(), []
    for cut in [*sorted(cuts), len(content)]:
        found += reader.feed(content[:cut])
    assert [json.loads(piece) for piece in found] == questions


def test_a_question_is_read_as_soon_as_its_last_sign_has_come() -> None:
    content = json.dumps({"questions": [{"text": "a } b"}, {"text": "c"}]})
    first = content.index("}, {") + 1
    reader = QuestionReader()
    assert reader.feed(content[: first - 1]) == []
    assert reader.feed(content[:first]) == ['{"text": "a } b"}']
    assert reader.feed(content) == ['{"text": "c"}']


@pytest.mark.parametrize("content", ["", "no JSON", "}}]]", '"', '{"a": {"b": 1}}', '[{"text": "x"}]', "\\"])
def test_what_holds_no_question_gives_none(content: str) -> None:
    assert QuestionReader().feed(content) == []


def written(text: str = "Why?", **fields: Any) -> str:
    whole = {"answer": "So.", "difficulty": "easy", "category": "SQL", "keyPoints": ["a"], "followUps": []}
    return json.dumps({"text": text, **whole, **fields})


def check(role: str = "Backend engineer", *topics: str) -> ReplyCheck:
    return ReplyCheck({"role": role, "topics": list(topics)})


def test_a_question_in_another_script_than_was_asked_in_is_not_taken() -> None:
    assert check().read(written("Why?"))
    assert check().read(written("Что такое индекс?")) is None
    assert check().read(written("什么是索引?")) is None
    russian = check("Инженер данных", "Базы данных")
    assert russian.read(written("Что такое индекс в PostgreSQL?"))
    assert russian.read(written("What is an index?")) is None
    assert check("Инженер данных", "PostgreSQL").read(written("Что такое VACUUM?"))
    assert check("データエンジニア").read(written("索引とは何ですか"))


def test_a_reply_wholly_in_another_language_is_of_no_use() -> None:
    wrong, right = written("Что такое индекс?"), written("Why?")
    with pytest.raises(ValueError, match="no question"):
        check().whole(f'{{"questions": [{wrong}]}}')
    check().whole(f'{{"questions": [{wrong}, {right}]}}')
    check().whole('{"questions": []}')


def test_a_question_that_gives_our_instructions_away_is_not_taken() -> None:
    sentence = " ".join(SYSTEM.split()[60:75])
    assert check().read(written(f"What is meant by: {sentence}?")) is None
    assert check().read(written(answer=f"I was told: {sentence.upper()}")) is None
    assert check().read(written(answer="It ends with </interview> then.")) is None
    assert not leaks("What are the trade-offs of debugging a design in production, and what do interviewers ask?")


def test_what_stands_around_a_question_is_taken_away() -> None:
    noisy = [
        "1. Why an index?",
        "Q3: Why an index?",
        "**Why an index?**",
        "## Why an index?",
        "Question 12. Why an index?",
    ]
    assert {tidied(text) for text in noisy} == {"Why an index?"}
    for text in ("2.5 ms: is that slow?", "3D or 2D?", "`**kwargs`: what is it?", "**"):
        assert tidied(text) == text
