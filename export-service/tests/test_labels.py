"""The words of ours in a file."""

from dataclasses import asdict
from typing import get_args

import pytest

from export_service.exports.schemas import Locale
from export_service.renderers.labels import LABELS, date_of


def test_every_language_that_can_be_asked_for_has_words() -> None:
    assert set(LABELS) == set(get_args(Locale))


@pytest.mark.parametrize("locale", LABELS)
def test_no_word_is_missing(locale: str) -> None:
    labels = LABELS[locale]
    assert all(asdict(labels).values())
    assert set(labels.levels) == {"easy", "medium", "hard"}
    assert labels.level("fiendish") == "fiendish"


@pytest.mark.parametrize(("count", "words"), [(0, "0 questions"), (1, "1 question"), (2, "2 questions")])
def test_questions_are_counted(count: int, words: str) -> None:
    assert LABELS["en"].count(count) == words


@pytest.mark.parametrize(
    ("locale", "day"),
    [
        ("en", "5 March 2026"),
        ("de", "5. März 2026"),
        ("fr", "5 mars 2026"),
        ("es", "5 de marzo de 2026"),
        ("ja", "2026年3月5日"),
    ],
)
def test_a_date_is_written_as_the_language_writes_it(locale: str, day: str) -> None:
    assert date_of("2026-03-05T23:30:00-00:00", locale) == day
    assert date_of("2026-03-06T01:30:00+02:00", locale) == day
