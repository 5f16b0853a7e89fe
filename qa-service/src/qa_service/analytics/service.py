"""Trending topics: decayed by time, shown only from several users on, so that nobody's own words become public."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from intervai_shared.cache import ModelCache
from intervai_shared.messaging.events.projections import View, current
from intervai_shared.models import utc_now
from intervai_shared.resources import Resources
from qa_service.analytics.projection import TRENDING
from qa_service.analytics.repository import TopicUses
from qa_service.analytics.schemas import Trending, TrendingTopic
from qa_service.settings import QaSettings

#: Topics computed and cached; a request shows the first few of them.
KEPT_TOPICS = 100
#: While the database is away. A day-old list is better than none.
IF_ERROR_SECONDS = 86_400


class TrendingService:
    """What the projection `trending` shows, read through the cache."""

    def __init__(self, view: Callable[[], Awaitable[View]], cache: ModelCache[Trending], settings: QaSettings) -> None:
        self._view = view
        self._cache = cache
        self._settings = settings

    async def top(self, limit: int) -> Trending:
        """The most used topics."""
        cached = await self._cache.get_or_load("topics", self._compute)
        return Trending(items=cached.items[:limit])

    async def _compute(self) -> Trending:
        now = utc_now()
        uses = TopicUses((await self._view())["topic_uses"])
        found = await uses.by_topic(now - timedelta(days=self._settings.trending_days))
        shown = [entry for entry in found if len(entry["users"]) >= self._settings.trending_min_users]
        topics = [
            TrendingTopic(topic=entry["topic"], score=self._score(entry["days"], now), users=len(entry["users"]))
            for entry in shown
        ]
        topics.sort(key=lambda topic: (-topic.score, topic.topic))
        return Trending(items=topics[:KEPT_TOPICS])

    def _score(self, days: list[datetime], now: datetime) -> float:
        half_life = self._settings.trending_half_life_days
        halvings = [(now - day) / timedelta(days=half_life) for day in days]
        return round(sum(math.pow(0.5, halving) for halving in halvings), 3)


def open_trending(resources: Resources, settings: QaSettings) -> TrendingService:
    """Wires the service on the chassis's resources."""
    seconds = max(1, settings.trending_cache_seconds)
    cache = ModelCache(resources.cache, "trending", Trending, seconds, if_error_seconds=IF_ERROR_SECONDS)
    mongo = resources.mongo
    return TrendingService(lambda: current(mongo.db, TRENDING, mongo.read_db), cache, settings)
