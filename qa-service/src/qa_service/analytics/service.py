"""Trending topics: decayed by time, shown only from several users on, so that nobody's own words become public."""

import math
from datetime import UTC, datetime, timedelta

from bson import ObjectId

from intervai_shared.cache import ModelCache
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.analytics.repository import TopicUses
from qa_service.analytics.schemas import Trending, TrendingTopic
from qa_service.settings import QaSettings

#: Topics computed and cached; a request shows the first few of them.
KEPT_TOPICS = 100


class TrendingService:
    """Fed by events, read through the cache."""

    def __init__(self, uses: TopicUses, cache: ModelCache[Trending], settings: QaSettings) -> None:
        self._uses = uses
        self._cache = cache
        self._settings = settings

    async def apply(self, event: Document, session: Session) -> None:
        """Projects `session.created`."""
        day = datetime.fromisoformat(event["occurredAt"]).astimezone(UTC)
        start_of_day = day.replace(hour=0, minute=0, second=0, microsecond=0)
        for topic in sorted({_normalised(topic) for topic in event["data"]["topics"]}):
            await self._uses.record(ObjectId(event["data"]["user"]), topic, start_of_day, session)

    async def top(self, limit: int) -> Trending:
        """The most used topics."""
        cached = await self._cache.get_or_load("topics", self._compute)
        return Trending(items=cached.items[:limit])

    async def _compute(self) -> Trending:
        now = utc_now()
        found = await self._uses.by_topic(now - timedelta(days=self._settings.trending_days))
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
    cache = ModelCache(resources.cache, "trending", Trending, max(1, settings.trending_cache_seconds))
    return TrendingService(TopicUses(resources.mongo.db, resources.mongo.read_db), cache, settings)


def _normalised(topic: str) -> str:
    return " ".join(topic.casefold().split())
