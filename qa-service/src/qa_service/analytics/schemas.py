"""Answers of the analytics routes."""

from intervai_shared.models import WireModel


class TrendingTopic(WireModel):
    """`score`: uses of the topic, each counting less the older it is. `users`: how many different people."""

    topic: str
    score: float
    users: int


class Trending(WireModel):
    """The topics that people prepare for now, the most used first."""

    items: list[TrendingTopic]
