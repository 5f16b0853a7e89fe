"""What is answered to each schema that the suite asks with: a function of the bank and of the fenced data."""

from collections.abc import Callable, Mapping
from typing import Any

from offline_llm.bank import Bank
from offline_llm.composer import Interview, compose
from offline_llm.grading import judge
from offline_llm.reports import advise
from offline_llm.tutoring import explained, rewritten

_FIELDS = ("text", "answer", "difficulty", "category", "keyPoints", "followUps")


def questions(bank: Bank, data: dict[str, Any]) -> dict[str, Any]:
    """A set of interview questions."""
    found = compose(bank, Interview.read(data))
    return {"questions": [{name: question[name] for name in _FIELDS} for question in found]}


ANSWERS: Mapping[str, Callable[[Bank, dict[str, Any]], dict[str, Any]]] = {
    "interview_questions": questions,
    "grade_answer": judge,
    "interview_report": advise,
    "question_rewriting": rewritten,
    "question_explanation": explained,
}
