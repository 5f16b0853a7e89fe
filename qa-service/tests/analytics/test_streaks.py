"""Days in a row with practice."""

from datetime import date, timedelta

import pytest

from qa_service.analytics.streaks import streak_of

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("days_ago", "current", "longest"),
    [
        ([], 0, 0),
        ([0], 1, 1),
        ([1], 1, 1),
        ([2], 0, 1),
        ([2, 1, 0], 3, 3),
        ([3, 2, 1], 3, 3),
        ([4, 2, 1], 2, 2),
        ([9, 8, 7, 6, 1, 0], 2, 4),
        ([9, 8, 7, 5], 0, 3),
        ([-1], 1, 1),
    ],
)
def test_a_run_goes_on_until_a_whole_day_was_missed(days_ago: list[int], current: int, longest: int) -> None:
    days = [TODAY - timedelta(days=ago) for ago in days_ago]
    streak = streak_of(days, TODAY)
    assert (streak.current, streak.longest) == (current, longest)
    assert streak.last_day == (days[-1] if days else None)
