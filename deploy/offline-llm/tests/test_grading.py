"""Judgements and advice without a model: deterministic, and sensible over the whole bank."""

from collections.abc import Callable
from statistics import mean
from typing import Any

import pytest

from offline_llm.bank import load
from offline_llm.grading import judge
from offline_llm.reports import advise

QUESTIONS = [question for topic in load().topics for question in topic.questions]


def share(question: dict[str, Any], answer: str) -> float:
    """Of the key points, the share that an answer is said to cover; each quote is a piece of the answer."""
    points = [{"point": number, "text": text} for number, text in enumerate(question["keyPoints"], 1)]
    data = {"question": question["text"], "modelAnswer": question["answer"], "keyPoints": points, "answer": answer}
    judged = judge(load(), data)
    assert judged == judge(load(), data)
    assert [point["point"] for point in judged["points"]] == [point["point"] for point in points]
    assert all(point["quote"] in answer for point in judged["points"])
    assert all(judged[name]["quote"] in answer for name in ("correctness", "depth", "structure"))
    assert judged["betterAnswer"]
    worth = {"covered": 1.0, "partly": 0.5, "missing": 0.0}
    return mean(worth[point["verdict"]] for point in judged["points"])


def own(question: dict[str, Any]) -> str:
    return str(question["answer"])


def all_points(question: dict[str, Any]) -> str:
    return ". ".join(question["keyPoints"])


def first_point(question: dict[str, Any]) -> str:
    return f"{question['keyPoints'][0]}. I do not know the rest."


def another(question: dict[str, Any]) -> str:
    return str(QUESTIONS[(QUESTIONS.index(question) + 37) % len(QUESTIONS)]["answer"])


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [(own, 0.8, 1.0), (all_points, 0.99, 1.0), (first_point, 0.15, 0.55), (another, 0.0, 0.1)],
)
def test_over_the_whole_bank_an_answer_covers_what_it_says(
    answer: Callable[[dict[str, Any]], str], least: float, most: float
) -> None:
    assert least <= mean(share(question, answer(question)) for question in QUESTIONS[::5]) <= most


@pytest.mark.parametrize("data", [{}, {"answer": "", "keyPoints": []}, {"answer": "...", "keyPoints": [{}]}])
def test_an_empty_answer_covers_nothing(data: dict[str, Any]) -> None:
    judged = judge(load(), data)
    assert {point["verdict"] for point in judged["points"]} <= {"missing"}
    assert [judged[name]["level"] for name in ("correctness", "depth", "structure")] == [0, 0, 0]


def test_without_key_points_an_answer_like_the_models_is_right() -> None:
    question = QUESTIONS[0]
    data = {"question": question["text"], "modelAnswer": question["answer"], "keyPoints": []}
    assert judge(load(), {**data, "answer": question["answer"]})["correctness"]["level"] == 4
    assert judge(load(), {**data, "answer": "Bananas are yellow."})["correctness"]["level"] == 0


def test_advice_names_the_strong_and_the_weak_topics_of_the_results() -> None:
    topics = [{"name": "SQL", "score": 90}, {"name": "Go", "score": 20}, {"name": "Testing", "score": None}]
    weakest = [{"category": "Go", "text": "What is a channel?"}]
    told = advise(load(), {"score": 55, "topics": topics, "missed": [], "weakest": weakest, "skipped": 1})
    assert "SQL" in told["strengths"][0]
    assert "Go" in told["gaps"][0]
    assert told["studyNext"] == ["Answer once more, aloud: What is a channel?"]
    assert "55" in told["summary"]
    assert advise(load(), {})["summary"]
