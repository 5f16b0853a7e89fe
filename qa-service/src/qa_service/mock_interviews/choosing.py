"""Which question comes next. A pure function of what was asked and what is known of the scores, so equal interviews go
equal ways.

Difficulty starts at medium, goes up by one after a good answer and down after a weak one. Topics take turns; a topic
with weak answers comes back sooner. A score that has not come yet changes nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from statistics import mean

from bson import ObjectId

from intervai_shared.models import Document

LEVELS = ("easy", "medium", "hard")
GOOD, WEAK = 70, 45
#: What one step away from the wanted difficulty weighs, against one question more of the same topic.
STEP, SAME_TOPIC_AGAIN, WEAK_TOPIC = 2.0, 1.5, 1.5


def choose(
    pool: Sequence[Document], asked: Sequence[Document], scores: Mapping[ObjectId, int], seed: str
) -> Document | None:
    """The next question of the pool; None when all were asked. `scores` by question; `seed` breaks ties."""
    done = {entry["question"] for entry in asked}
    left = [question for question in pool if question["_id"] not in done]
    if not left:
        return None
    level = wanted_level(asked, scores)
    loads = _loads(asked, scores)
    last = asked[-1]["category"] if asked else None

    def cost(question: Document) -> tuple[float, bytes]:
        topic = question["category"]
        away = abs(LEVELS.index(question["difficulty"]) - level)
        again = SAME_TOPIC_AGAIN if topic == last else 0.0
        return STEP * away + loads.get(topic, 0.0) + again, _shuffled(seed, question["_id"])

    return min(left, key=cost)


def wanted_level(asked: Sequence[Document], scores: Mapping[ObjectId, int]) -> int:
    """0 easy, 1 medium, 2 hard. A skipped question counts as a weak answer."""
    level = 1
    for entry in asked:
        score = 0 if entry["skipped"] else scores.get(entry["question"])
        if score is not None:
            level += (score >= GOOD) - (score < WEAK)
        level = min(max(level, 0), len(LEVELS) - 1)
    return level


def _loads(asked: Sequence[Document], scores: Mapping[ObjectId, int]) -> dict[str, float]:
    """How much each topic has had: its questions, less if its answers were weak."""
    topics = {entry["category"] for entry in asked}
    loads = {}
    for topic in topics:
        entries = [entry for entry in asked if entry["category"] == topic]
        known = [scores[entry["question"]] for entry in entries if entry["question"] in scores]
        loads[topic] = len(entries) - (WEAK_TOPIC if known and mean(known) < WEAK else 0.0)
    return loads


def _shuffled(seed: str, question: ObjectId) -> bytes:
    return hashlib.blake2b(f"{seed}:{question}".encode(), digest_size=8).digest()
