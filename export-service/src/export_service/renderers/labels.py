"""The words of ours in a file, by language, and dates as that language writes them (Unicode CLDR, by Babel)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from babel.dates import format_date


@dataclass(frozen=True)
class Labels:
    """`levels`: by the names of the API. `questions`: what follows a number, for one and for more."""

    contents: str
    topics: str
    key_points: str
    follow_ups: str
    notes: str
    pinned: str
    no_questions: str
    levels: dict[str, str]
    questions: tuple[str, str]

    def level(self, difficulty: str) -> str:
        """A difficulty by its name; one that we do not know stays as it is."""
        return self.levels.get(difficulty, difficulty)

    def count(self, questions: int) -> str:
        """How many questions there are."""
        return f"{questions} {self.questions[questions != 1]}"


def _levels(easy: str, medium: str, hard: str) -> dict[str, str]:
    return {"easy": easy, "medium": medium, "hard": hard}


LABELS = {
    "en": Labels(
        contents="Contents",
        topics="Topics",
        key_points="Key points",
        follow_ups="Follow-up questions",
        notes="My notes",
        pinned="Pinned",
        no_questions="This session has no questions yet.",
        levels=_levels("easy", "medium", "hard"),
        questions=("question", "questions"),
    ),
    "de": Labels(
        contents="Inhalt",
        topics="Themen",
        key_points="Kernpunkte",
        follow_ups="Anschlussfragen",
        notes="Meine Notizen",
        pinned="Angeheftet",
        no_questions="Diese Sitzung hat noch keine Fragen.",
        levels=_levels("leicht", "mittel", "schwer"),
        questions=("Frage", "Fragen"),
    ),
    "fr": Labels(
        contents="Sommaire",
        topics="Sujets",
        key_points="Points clés",
        follow_ups="Questions de relance",
        notes="Mes notes",
        pinned="Épinglée",
        no_questions="Cette session n'a pas encore de questions.",
        levels=_levels("facile", "moyen", "difficile"),
        questions=("question", "questions"),
    ),
    "es": Labels(
        contents="Índice",
        topics="Temas",
        key_points="Puntos clave",
        follow_ups="Preguntas de seguimiento",
        notes="Mis notas",
        pinned="Fijada",
        no_questions="Esta sesión aún no tiene preguntas.",
        levels=_levels("fácil", "media", "difícil"),
        questions=("pregunta", "preguntas"),
    ),
    "ja": Labels(
        contents="目次",
        topics="トピック",
        key_points="要点",
        follow_ups="深掘り質問",
        notes="メモ",
        pinned="ピン留め",
        no_questions="このセッションにはまだ質問がありません。",
        levels=_levels("易", "中", "難"),
        questions=("問", "問"),
    ),
}


def date_of(created_at: str, locale: str) -> str:
    """The day of an RFC 3339 time, in UTC, in a language of `LABELS`: `5 March 2026`."""
    day = datetime.fromisoformat(created_at).astimezone(UTC).date()
    # CLDR's plain English is the American one.
    return format_date(day, "long", locale="en_GB" if locale == "en" else locale)
