"""Composes a set of questions from the bank by role, experience, topics and difficulty."""

import hashlib
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from offline_llm.bank import Bank, normalised

MOST_QUESTIONS = 50
LEVELS = ("easy", "medium", "hard")
#: Topics that are taken when nothing is known of what to ask.
DEFAULT_TOPICS = ("System design", "Data structures & algorithms", "Testing", "Behavioural")
#: Topics that are chosen for a person, besides the behavioural one.
MOST_TOPICS = 6
#: Names of topics that also mean something else in the text of a job.
_EVERYDAY_WORDS = frozenset({"cd", "express", "go", "net", "node", "react", "rest", "solid", "spark", "spring", "star"})
#: Which difficulties come first, by experience.
_ORDERS = {
    "junior": ("easy", "medium", "easy", "medium", "hard"),
    "mid": ("medium", "easy", "medium", "hard"),
    "senior": ("medium", "hard", "hard", "medium", "easy"),
}
_PLACEHOLDER = re.compile(r"\{(?:role|topic)\}")
_JUNIOR = re.compile(r"\b(intern|junior|entry|graduate|student|trainee|beginner)\b")
_SENIOR = re.compile(r"\b(senior|lead|principal|staff|head|expert|architect|manager)\b")
_YEARS = re.compile(r"\b(\d+(?:\.\d+)?)\s*\+?\s*(?:years?|yrs?|y)?\b")


@dataclass(frozen=True)
class Interview:
    """What is asked of the model."""

    role: str
    experience: str
    topics: tuple[str, ...]
    count: int
    difficulty: str | None
    exclude: frozenset[str] = field(default_factory=frozenset)
    job_description: str = ""

    @classmethod
    def read(cls, data: dict[str, Any]) -> "Interview":
        """From the JSON between the interview tags; what is missing or of a wrong type is taken as not said."""
        count, difficulty = data.get("count"), data.get("difficulty")
        return cls(
            role=_text(data.get("role")) or "the role",
            experience=_text(data.get("experience")),
            topics=tuple(dict.fromkeys(_text(topic) for topic in _list(data.get("topics")) if _text(topic))),
            count=min(max(count, 1), MOST_QUESTIONS) if isinstance(count, int) else 10,
            difficulty=difficulty if difficulty in LEVELS else None,
            exclude=frozenset(normalised(_text(text)) for text in _list(data.get("exclude"))),
            job_description=_text(data.get("jobDescription")),
        )


def compose(bank: Bank, interview: Interview) -> list[dict[str, Any]]:
    """Up to `count` questions, spread over the topics; fewer when all is used up. Equal requests, equal answers."""
    queues = [deque(_candidates(bank, wanted, interview)) for wanted in _wanted_topics(bank, interview)]
    chosen: list[dict[str, Any]] = []
    seen = set(interview.exclude)
    while queues and len(chosen) < interview.count:
        queue = queues.pop(0)
        while queue and normalised(queue[0]["text"]) in seen:
            queue.popleft()
        if queue:
            seen.add(normalised(queue[0]["text"]))
            chosen.append(queue.popleft())
            queues.append(queue)
    return chosen


def _wanted_topics(bank: Bank, interview: Interview) -> list[str]:
    """Those of the person, else those that the role or the description names, then what fits the role."""
    if interview.topics:
        return list(interview.topics)
    role, description = normalised(interview.role), normalised(interview.job_description)
    topics = sorted(bank.topics, key=lambda topic: _rank(interview, topic.name))
    named = [
        topic.name for topic in topics if _has(role, topic.names) or _has(description, topic.names - _EVERYDAY_WORDS)
    ]
    fitting = [topic.name for topic in topics if _has(role, map(normalised, topic.roles))]
    if not named and not fitting:
        return list(DEFAULT_TOPICS)
    return list(dict.fromkeys([*list(dict.fromkeys(named + fitting))[:MOST_TOPICS], "Behavioural"]))


def _has(text: str, names: Iterable[str]) -> bool:
    """Whether one of the names stands in the text as a whole word; both are normalised."""
    return any(f" {name} " in f" {text} " for name in names)


def _candidates(bank: Bank, wanted: str, interview: Interview) -> list[dict[str, Any]]:
    """Questions on one topic, the best fitting first, the templates last."""
    topic = bank.find(wanted)
    own = [*topic.questions] if topic else []
    templates = [_filled(template, topic.name if topic else wanted, interview.role) for template in bank.templates]
    # Like a real model: the category is the topic in the words of the person.
    return [{**question, "category": wanted} for question in _ordered(own, interview) + _ordered(templates, interview)]


def _filled(template: dict[str, Any], topic: str, role: str) -> dict[str, Any]:
    """User text is data: replaced in one go, never formatted."""
    words = {"{role}": role, "{topic}": topic}

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(item) for item in value]
        return _PLACEHOLDER.sub(lambda found: words[found[0]], value)

    return {key: fill(value) for key, value in template.items()}


def _ordered(questions: list[dict[str, Any]], interview: Interview) -> list[dict[str, Any]]:
    """Only those of the asked difficulty, else mixed as fits the experience; within one, shuffled by the request."""
    piles: dict[str, deque[dict[str, Any]]] = {level: deque() for level in LEVELS}
    for question in sorted(questions, key=lambda question: _rank(interview, question["text"])):
        piles[question["difficulty"]].append(question)
    if interview.difficulty:
        return list(piles[interview.difficulty])
    ordered: list[dict[str, Any]] = []
    pattern = deque(_ORDERS[_level(interview.experience)])
    while any(piles.values()):
        if piles[pattern[0]]:
            ordered.append(piles[pattern[0]].popleft())
        pattern.rotate(-1)
    return ordered


def _level(experience: str) -> str:
    text = experience.casefold()
    if _SENIOR.search(text):
        return "senior"
    if _JUNIOR.search(text):
        return "junior"
    if years := _YEARS.search(text):
        number = float(years[1])
        return "junior" if number < 2 else "senior" if number >= 6 else "mid"
    return "mid"


def _rank(interview: Interview, text: str) -> bytes:
    seed = f"{interview.role}|{interview.experience}|{len(interview.exclude)}|{text}"
    return hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest()


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
