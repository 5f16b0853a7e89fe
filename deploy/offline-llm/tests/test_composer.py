"""Composing sets: how many, of what, and the same again for the same request."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_llm import bank
from offline_llm.bank import normalised
from offline_llm.composer import DEFAULT_TOPICS, Interview, compose

BANK = bank.load()
PLAIN = Interview("Backend engineer", "senior", ("Python", "SQL", "Docker"), 10, None)
OWN = {normalised(question["text"]) for topic in BANK.topics for question in topic.questions}


def made(**changed: Any) -> list[dict[str, Any]]:
    return compose(BANK, replace(PLAIN, **changed))


def categories(**changed: Any) -> Counter[str]:
    return Counter(question["category"] for question in made(**changed))


@pytest.mark.parametrize("count", [1, 2, 10, 50])
def test_a_set_has_as_many_questions_as_were_asked_for_and_none_twice(count: int) -> None:
    assert len({normalised(question["text"]) for question in made(count=count)}) == count


@pytest.mark.parametrize("count", [3, 10, 50])
def test_the_topics_get_equal_shares(count: int) -> None:
    shares = categories(count=count)
    assert set(shares) == set(PLAIN.topics)
    assert max(shares.values()) - min(shares.values()) <= 1


def test_an_unknown_topic_gets_its_share_too() -> None:
    assert categories(topics=("Python", "Beekeeping"), count=10) == {"Python": 5, "Beekeeping": 5}


def test_a_category_is_the_topic_in_the_words_of_the_person() -> None:
    assert categories(topics=("k8s", "Postgres")) == {"k8s": 5, "Postgres": 5}
    assert all(normalised(question["text"]) in OWN for question in made(topics=("k8s", "Postgres")))


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_an_asked_difficulty_is_the_only_one(difficulty: str) -> None:
    questions = made(difficulty=difficulty, count=20)
    assert len(questions) == 20
    assert {question["difficulty"] for question in questions} == {difficulty}


def test_the_experience_decides_which_difficulties_come_first() -> None:
    def hard(experience: str) -> int:
        return sum(question["difficulty"] == "hard" for question in made(experience=experience))

    assert hard("junior") < hard("mid") < hard("senior")


@pytest.mark.parametrize(
    ("said", "like"),
    [
        ("Senior Developer", "senior"),
        ("staff", "senior"),
        ("8 years", "senior"),
        ("10+ yrs", "senior"),
        ("3-4 years", "mid"),
        ("2 years", "mid"),
        ("", "mid"),
        ("1.5 years", "junior"),
        ("graduate", "junior"),
        ("0 years", "junior"),
    ],
)
def test_experience_is_understood_in_words_and_in_years(said: str, like: str) -> None:
    def levels(experience: str) -> list[str]:
        return [question["difficulty"] for question in made(experience=experience, topics=("Python",), count=5)]

    assert levels(said) == levels(like)


def test_what_is_excluded_never_comes_again_until_all_is_used_up() -> None:
    seen: list[str] = []
    while questions := made(exclude=frozenset(map(normalised, seen)), topics=("Python",), count=10):
        seen += [question["text"] for question in questions]
    assert len(seen) == len(set(seen)) == 10 + len(BANK.templates)
    assert {normalised(text) for text in seen[:10]} <= OWN, "the questions of the bank come before templates"


def test_a_question_is_excluded_whatever_its_case_and_punctuation() -> None:
    first = made(topics=("Python",), count=1)[0]["text"]
    interview = Interview.read({"topics": ["Python"], "count": 50, "exclude": [f"  {first.upper()} !"]})
    assert first not in [question["text"] for question in compose(BANK, interview)]


def test_an_unknown_topic_gets_templates_that_name_it() -> None:
    questions = made(topics=("Beekeeping",), count=24)
    assert len(questions) == 24
    assert all("Beekeeping" in question["text"] for question in questions)
    assert "{" not in str([list(question.values()) for question in questions])


@pytest.mark.parametrize("odd", ["{role}", "{topic}", "{0.__class__}", "%s", r"\1", "{"])
def test_what_a_person_types_is_put_into_a_template_as_it_is(odd: str) -> None:
    for questions in (made(topics=(odd,), role="Cook", count=24), made(topics=("Soup",), role=odd, count=24)):
        whole = str([question["text"] for question in questions])
        assert odd.replace("\\", "\\\\") in whole
    assert all(odd in question["text"] for question in made(topics=(odd,), role="{topic}", count=24))


def test_c_and_its_relatives_are_different_topics() -> None:
    topics = ("C", "C++", "C#")
    assert categories(topics=topics, count=30) == dict.fromkeys(topics, 10)


@pytest.mark.parametrize(
    ("role", "topic"),
    [
        ("Python developer", "Python"),
        ("Senior Go Engineer", "Go"),
        ("Data engineer", "Data engineering"),
        ("QA tester", "Testing"),
        ("HR", "Behavioural"),
        ("Engineering manager", "Leadership & teamwork"),
        ("Machine learning researcher", "Machine learning"),
    ],
)
def test_a_role_chooses_its_topics_when_none_are_given(role: str, topic: str) -> None:
    chosen = categories(role=role, topics=(), count=50)
    assert topic in chosen
    assert "Behavioural" in chosen
    assert len(chosen) <= 7


def test_the_topics_that_a_job_description_names_come_first() -> None:
    wanted = "We run MongoDB and Redis on Kubernetes, with React. The rest of us will go with you."
    chosen = categories(topics=(), job_description=wanted, count=50)
    assert {"MongoDB", "Redis & caching", "Kubernetes"} <= set(chosen)
    by_description_only = categories(role="Cook", topics=(), job_description=wanted, count=50)
    assert set(by_description_only) == {"MongoDB", "Redis & caching", "Kubernetes", "Behavioural"}


def test_an_unknown_role_without_topics_gets_the_general_ones() -> None:
    assert set(categories(role="Cook", topics=())) == set(DEFAULT_TOPICS)


def test_the_same_request_gets_the_same_answer_and_another_one_another() -> None:
    assert made() == made()
    assert made() != made(role="Data analyst")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.sampled_from(
    ["role", "experience", "topics", "count", "difficulty", "exclude", "jobDescription", "something else"]
)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(NAMES, ANYTHING))
def test_whatever_an_interview_holds_questions_come_back(data: dict[str, Any]) -> None:
    questions = compose(BANK, Interview.read(data))
    assert 1 <= len(questions) <= 50
