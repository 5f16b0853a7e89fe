"""What qa-service holds of people: who adds a collection, says it here."""

from intervai_shared.privacy.holdings import Holding, Holdings

_TIMES = ("createdAt", "updatedAt")
HOLDINGS = Holdings(
    (
        Holding(
            "sessions",
            shown=("title", "role", "experience", "topics", "jobDescription", "status", "questionCount", *_TIMES),
        ),
        Holding(
            "questions",
            shown=(
                "session",
                "text",
                "answer",
                "difficulty",
                "category",
                "keyPoints",
                "followUps",
                "isPinned",
                "notes",
                "source",
                "model",
                *_TIMES,
            ),
        ),
        Holding("jobs", shown=("kind", "session", "status", "count", "error", *_TIMES), jobs=True),
        # The raw replies of the model: what they became are the questions.
        Holding("llm_calls"),
        # Made of the topics of the sessions.
        Holding("topic_uses", is_projection=True),
    )
)
