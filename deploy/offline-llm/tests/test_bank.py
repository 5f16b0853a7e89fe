"""The bank's form: what a reader of a question may count on. The facts in it only a reader can check."""

import re
from collections import Counter
from typing import Any

import pytest

from offline_llm import bank
from offline_llm.bank import Topic, normalised

BANK = bank.load()
FIELDS = {"text", "answer", "difficulty", "keyPoints", "followUps"}
LEVELS = {"easy", "medium", "hard"}
#: Of a file in the bank and of a template.
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    *[(topic.name, question) for topic in BANK.topics for question in topic.questions],
    *[("generic", template) for template in BANK.templates],
]
by_topic = pytest.mark.parametrize("topic", BANK.topics, ids=lambda topic: topic.name)


def breaking(rule: Any) -> list[str]:
    """The questions that do not keep a rule."""
    return [f"{name}: {question['text']}" for name, question in QUESTIONS if not rule(question)]


def test_the_bank_is_large_enough_to_prepare_with() -> None:
    assert len(BANK.topics) >= 24
    assert sum(len(topic.questions) for topic in BANK.topics) >= 240


@by_topic
def test_a_topic_has_questions_of_every_difficulty(topic: Topic) -> None:
    counted = Counter(question["difficulty"] for question in topic.questions)
    assert set(counted) == LEVELS
    assert min(counted.values()) >= 3


def test_the_templates_are_of_every_difficulty() -> None:
    assert min(Counter(template["difficulty"] for template in BANK.templates).values()) >= 8
    assert {template["difficulty"] for template in BANK.templates} == LEVELS


def test_a_question_has_exactly_the_fields_of_a_reply_but_its_category() -> None:
    assert breaking(lambda question: set(question) == FIELDS) == []


def test_an_answer_is_long_enough_to_learn_from_and_short_enough_to_say() -> None:
    assert breaking(lambda question: 60 <= len(question["answer"].split()) <= 260) == []


def test_a_question_has_three_to_five_key_points_and_two_or_more_follow_ups() -> None:
    assert breaking(lambda question: 3 <= len(question["keyPoints"]) <= 5) == []
    assert breaking(lambda question: len(question["followUps"]) >= 2) == []


def test_texts_are_whole_sentences_within_the_limits_of_the_services() -> None:
    assert breaking(lambda question: question["text"][-1] in "?." and 20 <= len(question["text"]) <= 400) == []
    lines = ("keyPoints", "followUps")
    assert breaking(lambda q: all(5 <= len(line) <= 300 and line == line.strip() for f in lines for line in q[f])) == []


def test_no_key_point_and_no_follow_up_comes_twice_in_a_question() -> None:
    for field in ("keyPoints", "followUps"):
        assert breaking(lambda q, field=field: len(set(map(normalised, q[field]))) == len(q[field])) == []


def test_no_question_is_asked_twice() -> None:
    counted = Counter(normalised(question["text"]) for _, question in QUESTIONS)
    assert [text for text, times in counted.items() if times > 1] == []


def test_no_answer_is_given_twice() -> None:
    counted = Counter(normalised(question["answer"]) for _, question in QUESTIONS)
    assert [text for text, times in counted.items() if times > 1] == []


def test_placeholders_are_only_in_templates_and_only_known_ones() -> None:
    for name, question in QUESTIONS:
        found = set(re.findall(r"\{[a-z]+\}", _prose(question)))
        assert found <= ({"{topic}", "{role}"} if name == "generic" else set()), question["text"]


def test_every_template_asks_about_its_topic() -> None:
    assert [template["text"] for template in BANK.templates if "{topic}" not in template["text"]] == []


def test_nothing_is_left_to_be_written() -> None:
    assert breaking(lambda question: not re.search(r"\b(TODO|TBD|FIXME|lorem ipsum|XXX)\b", _prose(question))) == []


def test_a_code_block_that_is_opened_is_closed() -> None:
    assert breaking(lambda question: question["answer"].count("```") % 2 == 0) == []


def test_a_name_leads_to_one_topic_only() -> None:
    counted = Counter(name for topic in BANK.topics for name in topic.names)
    assert [name for name, times in counted.items() if times > 1] == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("k8s", "Kubernetes"), (" PYTHON ", "Python"), ("ci/cd", "CI/CD"), ("C#", "C#"), ("node.js", "Node.js")],
)
def test_a_topic_is_found_by_its_names_whatever_case_and_punctuation(wanted: str, found: str) -> None:
    topic = BANK.find(wanted)
    assert topic is not None
    assert topic.name == found


@pytest.mark.parametrize("wanted", ["C", "C++", "Beekeeping", "", "Pythons"])
def test_a_topic_that_is_not_there_is_not_taken_for_another(wanted: str) -> None:
    assert BANK.find(wanted) is None


def _prose(question: dict[str, Any]) -> str:
    """What a question says, without its code."""
    answer = re.sub(r"```.*?```|`[^`]*`", "", question["answer"], flags=re.DOTALL)
    return "\n".join([question["text"], answer, *question["keyPoints"], *question["followUps"]])
