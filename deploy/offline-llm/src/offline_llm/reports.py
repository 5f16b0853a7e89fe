"""Advice at the end of a mock interview, put together from its scores."""

from typing import Any

from offline_llm.bank import Bank

STRONG, WEAK = 70, 55
MOST = 4


def advise(bank: Bank, data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """A summary, strengths, gaps and what to study next, from topics, missed points and weakest answers."""
    topics = [topic for topic in data.get("topics", []) if isinstance(topic.get("score"), int)]
    best = sorted(topics, key=lambda topic: -topic["score"])
    strong = [topic for topic in best if topic["score"] >= STRONG][:MOST]
    weak = [topic for topic in reversed(best) if topic["score"] < WEAK][:MOST]
    missed = [point for point in data.get("missed", []) if isinstance(point, dict)][:MOST]
    return {
        "summary": _summary(data, best),
        "strengths": [f"You are at home in {topic['name']}: {topic['score']} of 100." for topic in strong],
        "gaps": [f"{topic['name']} needs work: {topic['score']} of 100." for topic in weak]
        or [f"Say also, on {point['category']}: {point['text']}" for point in missed],
        "studyNext": [f"Answer once more, aloud: {entry['text']}" for entry in data.get("weakest", [])[: MOST + 1]],
    }


def _summary(data: dict[str, Any], best: list[dict[str, Any]]) -> str:
    if not best:
        return "There are no scores yet, so there is little to say. Answer a few questions, and come back."
    skipped = data.get("skipped") or 0
    told = f"You reached {data.get('score')} of 100. {best[0]['name']} went best, {best[-1]['name']} least well. "
    if skipped:
        return told + f"You skipped {skipped}: say something to every question, also when you are not sure."
    return told + "Take up the points that were missing, then do it again."
