"""Whatever is seen and whenever: no alert twice, none within its cooldown, and every one is over in the end."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.alerts.rules import Alarm, transition
from tiercel.domain.alerts import Severity

durations_us = st.integers(0, 1_000)
observations = st.lists(st.tuples(durations_us, st.none() | st.sampled_from(Severity)), max_size=60)


def outline(
    checks: list[tuple[int, Severity | None]], cooldown_us: int, resolve_after_us: int
) -> tuple[Alarm, int, list[tuple[int, Severity]]]:
    """Play the checks; the last state, its time and what fired. Asserts that what stands and what is over add up."""
    alarm, now_us, standing = Alarm(), 0, 0
    fired: list[tuple[int, Severity]] = []
    for waited_us, seen in checks:
        now_us += waited_us
        before = alarm
        alarm, fires, resolves = transition(
            before, seen, now_us, cooldown_us=cooldown_us, resolve_after_us=resolve_after_us
        )
        if resolves:
            standing -= 1
        if fires:
            assert seen is not None
            standing += 1
            fired.append((now_us, seen))
        assert standing == (alarm.active is not None)
        if before.active is not None and seen is not None and seen.rank >= before.active.rank:
            assert alarm.active is not None
            assert alarm.active.rank >= before.active.rank
        if seen is None:
            assert not fires
    return alarm, now_us, fired


@given(observations, durations_us, durations_us)
def test_at_most_one_alert_stands_and_none_fires_within_its_cooldown(
    checks: list[tuple[int, Severity | None]], cooldown_us: int, resolve_after_us: int
) -> None:
    _, _, fired = outline(checks, cooldown_us, resolve_after_us)
    for severity in Severity:
        times = [at_us for at_us, what in fired if what is severity]
        assert all(later - earlier >= cooldown_us for earlier, later in pairwise(times))


@given(observations, durations_us, durations_us)
def test_what_is_seen_and_not_suppressed_stands(
    checks: list[tuple[int, Severity | None]], cooldown_us: int, resolve_after_us: int
) -> None:
    alarm, now_us, _ = outline(checks, cooldown_us, resolve_after_us)
    for seen in Severity:
        after = transition(alarm, seen, now_us, cooldown_us=cooldown_us, resolve_after_us=resolve_after_us)
        stands = after.alarm.active
        suppressed = not alarm.cooled(seen, now_us, cooldown_us)
        assert suppressed or (stands is not None and stands.rank >= seen.rank)


@given(observations, durations_us, durations_us, st.integers(1, 5))
def test_every_alert_is_over_once_its_condition_was_clear_for_long_enough(
    checks: list[tuple[int, Severity | None]], cooldown_us: int, resolve_after_us: int, looks: int
) -> None:
    clear: list[tuple[int, Severity | None]] = [(-(-resolve_after_us // looks), None)] * looks
    alarm, _, _ = outline([*checks, *clear], cooldown_us, resolve_after_us)
    assert alarm.active is None
