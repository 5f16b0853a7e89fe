"""What counts as the same question: measured on the bank of the offline model and on rewordings made by hand."""

from itertools import combinations

import pytest

from offline_llm import bank
from qa_service.generation.similarity import Asked, Known, is_same

REWORDED = [
    ("What is the difference between a list and a tuple in Python?", "How do lists and tuples differ in Python?"),
    (
        "What is the difference between a list and a tuple in Python?",
        "Explain how a tuple differs from a list (Python)",
    ),
    ("What is a database index and how does it work?", "Can you explain what an index of a database is?"),
    ("How does garbage collection work in Java?", "Explain Java's garbage collection."),
    ("What are the main differences between TCP and UDP?", "Compare TCP with UDP."),
    ("How would you debug a memory leak in a Node.js service?", "How do you debug memory leaks in Node.js services?"),
    ("What is dependency injection and why is it useful?", "Why is dependency injection useful, and what is it?"),
    (
        "How do you handle schema migrations without downtime?",
        "How would you handle a schema migration without downtime?",
    ),
    (
        "What happens when you type a URL into a browser?",
        "Please describe what happens when a URL is typed in the browser",
    ),
    ("What is a race condition and how do you prevent it?", "Explain race conditions and how you would prevent them."),
    (
        "Explain optimistic and pessimistic locking.",
        "What is the difference between pessimistic and optimistic locking?",
    ),
    ("What does idempotent mean in REST APIs?", "What is the meaning of idempotent in a REST API?"),
    ("Explain the consistency guarantees of Raft.", "Explain the consistancy guarantees of Raft."),
    ("数据库索引是什么,它如何工作?", "请问数据库索引是什么,它如何工作"),
]
DIFFERENT = [
    ("What is C?", "What is C++?"),
    ("What is C?", "What is C#?"),
    ("How do you manage memory in C++?", "How do you manage memory in C#?"),
    ("What is new in Java 17?", "What is new in Java 21?"),
    ("What does `a & b` do?", "What does `a * b` do?"),
    ("What does `a == b` do?", "What does `a === b` do?"),
    (
        "What is the difference between a list and a tuple in Python?",
        "What is the difference between a list and a set?",
    ),
    ("How does garbage collection work in Java?", "How does garbage collection work in Go?"),
    ("What is an index in SQL?", "What is a partial index in SQL?"),
    ("When would you use an index?", "When would you not use an index?"),
    ("How do you test a REST API?", "How do you document a REST API?"),
    ("किताब क्या है?", "कीताब क्या है?"),
]


@pytest.mark.parametrize(("one", "other"), REWORDED)
def test_a_rewording_is_the_same_question(one: str, other: str) -> None:
    assert is_same(Asked.of(one), Asked.of(other))
    assert is_same(Asked.of(other), Asked.of(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_another_question_stays_another_however_alike_it_is(one: str, other: str) -> None:
    assert not is_same(Asked.of(one), Asked.of(other))


def test_of_the_300_questions_of_the_bank_no_two_are_taken_for_the_same() -> None:
    asked = [(question["text"], topic.name) for topic in bank.load().topics for question in topic.questions]
    assert len(asked) >= 300
    pairs = combinations([Asked.of(*each) for each in asked], 2)
    assert sum(is_same(one, other) for one, other in pairs) == 0


def test_the_same_asked_of_another_topic_is_another_question() -> None:
    templates = [template["text"].replace("{role}", "Engineer") for template in bank.load().templates]
    known = Known()
    for text in templates:
        known.add(text.replace("{topic}", "Docker"), "Docker")
    assert not any(known.has(text.replace("{topic}", "SQL"), "SQL") for text in templates)
    assert all(known.has(text.replace("{topic}", "Docker") + " Really?", "Docker") for text in templates)


def test_what_is_found_among_many_is_what_a_look_at_each_finds() -> None:
    texts = [text for pair in REWORDED + DIFFERENT for text in pair]
    for text in texts:
        others = [other for other in texts if other != text]
        known = Known()
        for other in others:
            known.add(other)
        assert known.has(text) == any(is_same(Asked.of(text), Asked.of(other)) for other in others), text
