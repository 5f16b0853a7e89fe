"""The rubric: how a judgement becomes a score of 0 to 100.

The model says which key points an answer covers and how good it is in three respects, each time with a quote. Here a
quote that does not stand in the answer makes its judgement void, and from what is left the score is computed:

    coverage  C = mean over the key points of covered 1, partly 0.5, missing 0, wrong -0.25; not below 0
    quality   Q = (0.5 correctness + 0.3 depth + 0.2 structure) / 4, of levels 0 to 4
    score       = 100 * (0.6 C + 0.4 Q * min(1, 2 C))

Quality counts in full from half of the key points on: words well put about something else are worth nothing. A question
without key points scores 100 * Q. A piece of the answer counts for two key points at most.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from intervai_shared.models import Document
from qa_service.practice.evidence import Answer, Span, fold
from qa_service.practice.prompt import JudgedPoint, JudgedQuality, Judgement

VERSION = "rubric-1"
Band = Literal["poor", "fair", "good", "excellent"]
#: From which score on a band begins, the best first.
BANDS: tuple[tuple[int, Band], ...] = ((85, "excellent"), (65, "good"), (40, "fair"), (0, "poor"))
WORTH = {"covered": 1.0, "partly": 0.5, "missing": 0.0, "wrong": -0.25}
QUALITIES = {"correctness": 0.5, "depth": 0.3, "structure": 0.2}
MOST_USES = 2
LEAST_WORDS = 3
#: Of an answer's words, the share that must be its own, and not the question's.
LEAST_OWN = 0.15
#: Of a long answer's words, the share that must be different ones.
LEAST_DIFFERENT = 0.15
LONG_WORDS = 20
LONGEST_WORD = 40


@dataclass(frozen=True)
class Graded:
    """A score with where it comes from. `points` and `qualities` are stored as they are."""

    score: int
    points: list[Document]
    qualities: Document

    @property
    def band(self) -> Band:
        return band_of(self.score)


def band_of(score: int) -> Band:
    """The band of a score of 0 to 100."""
    return next(band for least, band in BANDS if score >= least)


def grade(answer: Answer, key_points: list[str], judgement: Judgement) -> Graded:
    """What the judgement is worth, by the evidence for it."""
    said = {judged.point: judged for judged in reversed(judgement.points)}
    uses: Counter[Span] = Counter()
    points = [_point(answer, text, said.get(number), uses) for number, text in enumerate(key_points, 1)]
    qualities = {name: _quality(answer, getattr(judgement, name)) for name in QUALITIES}
    quality = sum(weight * qualities[name]["level"] / 4 for name, weight in QUALITIES.items())
    if not points:
        return Graded(round(100 * quality), [], qualities)
    coverage = max(0.0, sum(WORTH[point["verdict"]] for point in points) / len(points))
    return Graded(round(100 * (0.6 * coverage + 0.4 * quality * min(1.0, 2 * coverage))), points, qualities)


def hopeless(answer: Answer, asked: str) -> str | None:
    """Why an answer is worth nothing whoever judges it; None when it must be judged."""
    words = fold(answer.counted).split()
    if answer.ignored and not words:
        return "It speaks to the grader and answers nothing."
    if len(words) < LEAST_WORDS and sum(map(len, words)) < LEAST_WORDS * 2:
        return "It is too short to be an answer."
    in_question = set(fold(asked).split())
    if sum(word not in in_question for word in words) < LEAST_OWN * len(words):
        return "It only repeats the question."
    if len(words) >= LONG_WORDS and len(set(words)) < LEAST_DIFFERENT * len(words):
        return "It repeats the same few words."
    if sum(map(_is_no_word, words)) > len(words) / 2:
        return "It does not consist of words."
    return None


def _point(answer: Answer, text: str, judged: JudgedPoint | None, uses: Counter[Span]) -> Document:
    verdict = judged.verdict if judged else "missing"
    span = answer.find(judged.quote) if judged and verdict != "missing" else None
    if span is not None:
        uses[span] += 1
    if span is None or uses[span] > MOST_USES:
        return {"text": text, "verdict": "missing", "span": None}
    return {"text": text, "verdict": verdict, "span": {"start": span.start, "end": span.end}}


def _quality(answer: Answer, judged: JudgedQuality) -> Document:
    span = answer.find(judged.quote) if judged.level else None
    if span is None:
        return {"level": 0, "span": None}
    return {"level": judged.level, "span": {"start": span.start, "end": span.end}}


def _is_no_word(word: str) -> bool:
    """A run on the keyboard: Latin letters with no vowel or five consonants in a row, or endless."""
    if len(word) > LONGEST_WORD:
        return True
    if not word.isascii() or not word.isalpha() or len(word) < 4:
        return False
    run = longest = 0
    for letter in word:
        run = 0 if letter in "aeiouy" else run + 1
        longest = max(longest, run)
    return longest >= 5 or longest == len(word)
