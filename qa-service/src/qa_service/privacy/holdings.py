"""What qa-service holds of people: who adds a collection, says it here."""

from intervai_shared.privacy.holdings import Holding, Holdings
from qa_service.resumes.files import keys_of

_TIMES = ("createdAt", "updatedAt")
HOLDINGS = Holdings(
    (
        Holding(
            "sessions",
            shown=(
                "title",
                "role",
                "experience",
                "topics",
                "jobDescription",
                "resumeText",
                "status",
                "questionCount",
                "archivedAt",
                *_TIMES,
            ),
        ),
        Holding(
            "templates",
            shown=(
                "name",
                "role",
                "experience",
                "topics",
                "jobDescription",
                "questionCount",
                "difficulty",
                "quality",
                "sharedUntil",
                *_TIMES,
            ),
        ),
        Holding(
            "resumes",
            shown=("fileName", "contentType", "sizeBytes", "state", "text", *_TIMES),
            files=keys_of,
            uploads=keys_of,
        ),
        Holding("shares", shown=("session", "withNotes", "withAnswers", "views", "createdAt", "expiresAt")),
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
                "version",
                "explanation",
                *_TIMES,
            ),
        ),
        # How often questions were stored for a person.
        Holding("question_turns", owner=("_id",)),
        Holding("collections", shown=("name", "description", *_TIMES)),
        Holding("collection_items", shown=("collection", "question", "createdAt")),
        Holding("jobs", shown=("kind", "session", "status", "count", "error", *_TIMES), jobs=True),
        Holding(
            "attempts",
            shown=("session", "question", "answer", "status", "score", "band", "feedback", "reason", *_TIMES),
        ),
        Holding("drafts", shown=("session", "answer", *_TIMES)),
        Holding(
            "interviews",
            shown=("session", "status", "ended", "asked", "report", "questionCount", "finishedAt", *_TIMES),
        ),
        Holding(
            "review_cards",
            shown=("session", "state", "due", "stability", "difficulty", "lastReview", "reviews", "lapses", *_TIMES),
        ),
        Holding("review_log", shown=("session", "question", "rating", "at")),
        # How a person stands with a question: counted from the attempts.
        Holding("practice"),
        # The raw replies of the model: what they became are the questions.
        Holding("llm_calls"),
        Holding("llm_spend", shown=("day", "calls", "inputTokens", "outputTokens", "costMicros")),
        # Made of the topics of the sessions.
        Holding("topic_uses", is_projection=True),
        # Counted from the events of practice, which the person gets to see in their attempts, reviews and interviews.
        Holding("progress_days", is_projection=True),
        Holding("progress_topics", is_projection=True),
        Holding("progress_sessions", is_projection=True),
    ),
    impersonal={"llm_hours": "what all calls of the language model cost, by hour"},
)
