"""Answers of the analytics routes. Scores are 0 to 100, means have one decimal; days are of UTC."""

from datetime import date

from pydantic import Field

from intervai_shared.models import Id, UtcTime, WireModel


class TrendingTopic(WireModel):
    """`score`: uses of the topic, each counting less the older it is. `users`: how many different people."""

    topic: str
    score: float
    users: int


class Trending(WireModel):
    """The topics that people prepare for now, the most used first."""

    items: list[TrendingTopic]


class Scores(WireModel):
    """So many scored answers, their mean and their best; null when there is none."""

    attempts: int
    mean_score: float | None
    best_score: int | None


class Totals(Scores):
    """`sessions`, `questions`: what is there now. The rest counts all that was ever done, also in what is deleted."""

    sessions: int
    questions: int
    reviews: int
    interviews: int


class DayScores(WireModel):
    """The scored answers of a day."""

    day: date
    attempts: int
    mean_score: float | None


class Activity(DayScores):
    """What was done on a day."""

    reviews: int
    interviews: int


class MyTopic(Scores):
    """A topic that was practised. `recentMean`: of the last 5 scores; `trend`: how much it is above (or, negative,
    below) the mean of all before, null while there is none before. `days`: within the range that was asked for."""

    topic: str
    recent_mean: float
    trend: float | None
    days: list[DayScores]


class Streak(WireModel):
    """Days in a row with practice: an attempt, a review or an interview. `current` is 0 once a whole day was missed."""

    current: int
    longest: int
    last_day: date | None


class MyAnalytics(WireModel):
    """What a person has practised. `days`: those with practice, in the range from `from` to `to`. `topics`: the 100
    most practised, the most practised first."""

    totals: Totals
    streak: Streak
    topics: list[MyTopic]
    from_: date = Field(alias="from")
    to: date
    days: list[Activity]


class Group(WireModel):
    """So many questions that have something in common."""

    name: str
    count: int


class SessionQuestions(WireModel):
    """The questions that are there now, all of them and by what they are."""

    total: int
    by_difficulty: list[Group]
    by_category: list[Group]


class TopicScores(Scores):
    """The scored answers of a topic."""

    topic: str


class Progress(WireModel):
    """`practised`: questions with a scored answer; `good`: those whose best one is in the band `good`
    or above (65). Shares are of 1."""

    practised: int
    practised_share: float
    good: int
    good_share: float


class SessionDay(Activity):
    """`questions`: how many came that day."""

    questions: int


class SessionAnalytics(WireModel):
    """What came of an interview session."""

    session_id: Id
    created_at: UtcTime | None
    questions: SessionQuestions
    progress: Progress
    scores: Scores
    topics: list[TopicScores]
    reviews: int
    interviews: int
    days: list[SessionDay]
