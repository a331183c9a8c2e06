from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.domain.errors import InvalidInput
from tiercel.domain.quality import FeedbackEntry, as_quality

ENTRIES = st.builds(
    FeedbackEntry,
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.floats(0, 1),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(
        lambda at: 1970 < at.year < 9999  # the ends of the calendar have no neighbour in another zone
    ),
    st.dictionaries(st.text(), st.integers() | st.text()),
)


@pytest.mark.parametrize(("value", "quality"), [(0, 0.0), (1, 1.0), (0.5, 0.5), (-0.0, 0.0), (Fraction(1, 4), 0.25)])
def test_numbers_in_range_are_qualities(value: object, quality: float) -> None:
    assert as_quality(value) == quality


@pytest.mark.parametrize(
    "value",
    [-1e-9, 1.0000001, float("nan"), float("inf"), True, False, "0.8", None, [0.8], Decimal("0.8"), 0.5j, 10**400],
)
def test_everything_else_is_not(value: object) -> None:
    assert as_quality(value) is None


@given(ENTRIES)
def test_an_entry_survives_the_way_through_a_dict(entry: FeedbackEntry) -> None:
    assert entry.timestamp.tzinfo is UTC
    assert FeedbackEntry.from_dict(entry.to_dict()) == entry


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-02-03T04:05:06", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-02-03T04:05:06Z", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-02-03T04:05:06+02:00", datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC)),
        (datetime(2026, 2, 3), datetime(2026, 2, 3, tzinfo=UTC)),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_naive_times_are_utc(timestamp: object, expected: datetime) -> None:
    entry = FeedbackEntry.from_dict(
        {
            "feedback_id": "feedback_1",
            "workflow_name": "w",
            "stage_name": "s",
            "tier": "cheap",
            "quality_score": 1,
            "timestamp": timestamp,
        }
    )
    assert entry.timestamp == expected
    assert entry.to_dict()["timestamp"] == expected.isoformat()
    assert entry.metadata == {}


def test_a_bad_dict_names_every_problem() -> None:
    with pytest.raises(InvalidInput) as error:
        FeedbackEntry.from_dict({"tier": 3, "quality_score": "0.8", "timestamp": "yesterday", "metadata": [1]})
    assert [(problem.path, problem.kind) for problem in error.value.problems] == [
        ("feedback_id", "missing"),
        ("workflow_name", "missing"),
        ("stage_name", "missing"),
        ("tier", "type"),
        ("quality_score", "range"),
        ("timestamp", "type"),
        ("metadata", "type"),
    ]
