"""Who is there: heard by one process, known by all, concluded once, and none the less known while the store is away."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from support.in_process import AwayStore
from tiercel.adapters.memory_presence import MemoryPresence
from tiercel.domain.catalogue import Agent, AgentStatus
from tiercel.domain.errors import InvalidInput, StoreError, StoreUnavailable, UnknownAgent
from tiercel.domain.events import StandingChange
from tiercel.domain.presence import BEAT_S, BEAT_TTL_S, Beat
from tiercel.ports import START
from tiercel.services.attending import attendance as subject
from tiercel.services.attending.attendance import POLICY, STEP_S, Attendance, Run
from tiercel.services.learning.learner import Learner
from tiercel.testing import ManualClock

AGENTS = (Agent(agent_id="gpu_1"), Agent(agent_id="gpu_2", status="offline"))


class AwayPresence(MemoryPresence):
    """Away when told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.told = 0

    def beat(self, beats: Sequence[Beat], ttl_s: float) -> None:
        self._check()
        self.told += 1
        super().beat(beats, ttl_s)

    def beats(self, now: datetime) -> Sequence[Beat]:
        self._check()
        return super().beats(now)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("away, says the test")


class Processes:
    """Several processes over one store."""

    def __init__(self) -> None:
        self.store = AwayStore()
        self.presence = AwayPresence()
        self.clock = ManualClock()
        self.learners: list[Learner] = []

    def start(self, agents: Sequence[Agent] = AGENTS) -> Attendance:
        learner = Learner(self.store, clock=self.clock)
        self.learners.append(learner)
        return Attendance(learner, self.presence, agents)

    def step(self, *attendances: Attendance) -> None:
        for attendance in attendances:
            attendance.step()
            for learner in self.learners:
                learner.flush()
                learner.catch_up()

    def changes(self) -> list[tuple[str, str, str]]:
        events, _ = self.store.events_after(START, 1_000)
        found = [event for event in events if isinstance(event, StandingChange) and event.policy == POLICY]
        return [(change.segment[1], change.current, change.reason) for change in found]


@pytest.fixture
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    for learner in started.learners:
        learner.close()


def status(attendance: Attendance, agent_id: str = "gpu_1") -> str:
    return attendance.state(agent_id).status


def test_a_beat_counts_at_once_for_thirty_seconds_and_is_logged_as_two_changes(processes: Processes) -> None:
    here = processes.start()
    assert here.beat("gpu_2", "running", progress=0.25).status == "online"
    processes.step(here)
    processes.clock.advance(BEAT_TTL_S)
    processes.step(here)
    assert (status(here, "gpu_2"), here.state("gpu_2").age_s) == ("online", 30.0)
    processes.clock.advance(1)
    assert status(here, "gpu_2") == "offline", "even before anybody concluded it"
    processes.step(here)
    processes.step(here)
    assert processes.changes() == [("gpu_2", "online", "heartbeat"), ("gpu_2", "offline", "no heartbeat")]
    now = here.state("gpu_2")
    assert (now.since, now.beat and now.beat.progress) == (processes.clock.now(), 0.25)


def test_agents_that_never_said_anything_are_as_configured_and_nothing_is_logged(processes: Processes) -> None:
    here = processes.start()
    processes.clock.advance(1_000)
    processes.step(here)
    assert [agent.status for agent in here.agents()] == ["online", "offline"]
    assert processes.changes() == []


def test_what_one_process_hears_all_know_and_one_concludes(processes: Processes) -> None:
    here, there = processes.start(), processes.start()
    here.beat("gpu_1", "running")
    processes.step(here, there, here, there)
    assert there.state("gpu_1").beat == here.state("gpu_1").beat
    assert processes.changes() == [("gpu_1", "online", "heartbeat")], "that it was heard is worth knowing"
    there.beat("gpu_1", "failed")
    processes.step(there, here, there)
    assert status(here) == "offline"
    assert processes.changes()[1:] == [("gpu_1", "offline", "ended: failed")]


def test_who_knows_less_does_not_conclude_the_opposite(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading the beats and concluding, another process heard of the agent and said so."""
    here, there = processes.start(), processes.start()
    here.beat("gpu_1", "running")
    processes.step(here, there)
    processes.clock.advance(BEAT_TTL_S + 1)
    processes.step(here, there)
    read = processes.presence.beats

    def then_the_other_hears(now: datetime) -> Sequence[Beat]:
        stale = read(now)
        monkeypatch.setattr(processes.presence, "beats", read)
        here.beat("gpu_1", "running")
        processes.step(here)
        return stale

    monkeypatch.setattr(processes.presence, "beats", then_the_other_hears)
    processes.step(there)
    assert [current for _, current, _ in processes.changes()] == ["online", "offline", "online"]


def test_a_process_that_was_not_there_knows_who_is_gone(processes: Processes) -> None:
    here = processes.start()
    here.beat("gpu_1", "running")
    processes.step(here)
    processes.clock.advance(2 * subject.KEPT_S)
    later = processes.start()
    assert status(later) == "online", "the last known state, until the store was asked"
    processes.step(later)
    assert (status(later), later.state("gpu_1").age_s) == ("offline", None)


def test_the_operators_word_wins_until_it_is_taken_back(processes: Processes) -> None:
    here, there = processes.start(), processes.start()
    here.beat("gpu_1", "running")
    processes.step(here, there)
    state, durable = there.set_status("gpu_1", "maintenance")
    assert (state.status, state.reason, durable) == ("maintenance", "operator", True)
    processes.step(here, there)
    here.beat("gpu_1", "running")
    assert status(here) == "maintenance"
    processes.clock.advance(BEAT_TTL_S + 1)
    processes.step(here, there)
    assert status(here) == "maintenance"
    here.set_status("gpu_1", "online")
    assert status(here) == "offline", "nothing was heard for too long"
    here.beat("gpu_1", "running")
    processes.step(here, there)
    assert (status(here), status(there)) == ("online", "online")


def test_two_operators_at_once_both_have_their_turn(processes: Processes) -> None:
    here, there = processes.start(), processes.start()
    here.set_status("gpu_1", "maintenance")
    there.set_status("gpu_1", "online")
    assert [current for _, current, _ in processes.changes()] == ["maintenance", "online"]


def test_while_the_store_is_away_what_is_known_stays_known(
    processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = processes.start(), processes.start()
    here.beat("gpu_1", "running", progress=0.1)
    processes.step(here, there)
    processes.presence.away = True
    processes.clock.advance(20)
    here.beat("gpu_1", "running", progress=0.2)
    with caplog.at_level(logging.WARNING):
        processes.step(here, there, here, there)
    assert (status(here), status(there)) == ("online", "online")
    assert (here.state("gpu_1").age_s, there.state("gpu_1").age_s) == (0.0, 20.0)
    assert len(caplog.records) == 2, "once in each process"
    processes.clock.advance(11)
    assert (status(here), status(there)) == ("online", "offline")
    processes.step(there)
    assert processes.changes() == [("gpu_1", "online", "heartbeat")], "who cannot ask concludes nothing"
    processes.presence.away = False
    processes.step(here, there)
    assert status(there) == "online"
    assert there.state("gpu_1").beat == here.state("gpu_1").beat
    assert len(processes.changes()) == 1


def test_the_operators_word_is_kept_while_the_log_is_away(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "ACKNOWLEDGE_S", 0.05)
    here = processes.start()
    processes.store.away = True
    _, durable = here.set_status("gpu_1", "maintenance")
    assert not durable
    processes.store.away = False


def test_a_run_beats_by_itself_until_it_ends(processes: Processes) -> None:
    here = processes.start()
    run = Run("gpu_1", metadata={"batch": 7})
    here.begin(run)
    processes.step(here)
    run.progress = 0.5
    for _ in range(10):
        processes.clock.advance(BEAT_S)
        processes.step(here)
    now = here.state("gpu_1")
    assert now.beat is not None
    assert (now.status, now.age_s, now.beat.progress, now.beat.metadata) == ("online", 0.0, 0.5, {"batch": 7})
    told = processes.presence.told
    processes.clock.advance(BEAT_S / 2)
    processes.step(here)
    assert processes.presence.told == told, "no more often than every ten seconds"
    here.end(run, "completed")
    processes.clock.advance(BEAT_S)
    processes.step(here)
    assert (status(here), here.state("gpu_1").reason) == ("offline", "ended: completed")


def test_many_beats_are_one_step_in_the_store(processes: Processes) -> None:
    agents = [Agent(agent_id=f"gpu_{n}") for n in range(100)]
    here = processes.start(agents)
    for agent in agents:
        here.beat(agent.agent_id)
    processes.step(here)
    assert processes.presence.told == 1
    assert len(processes.presence.beats(processes.clock.now())) == 100


@pytest.mark.parametrize(
    ("said", "paths"),
    [
        ({"status": "asleep"}, ["status"]),
        ({"progress": 1.5}, ["progress"]),
        ({"progress": float("nan")}, ["progress"]),
        ({"progress": True}, ["progress"]),
        ({"metadata": {"x": "y" * 20_000}, "status": "", "progress": -1}, ["metadata", "status", "progress"]),
    ],
)
def test_what_is_no_beat_is_refused_with_every_problem(
    processes: Processes, said: dict[str, object], paths: list[str]
) -> None:
    here = processes.start()
    with pytest.raises(InvalidInput) as refused:
        here.beat("gpu_1", **said)  # type: ignore[arg-type]
    assert [problem.path for problem in refused.value.problems] == paths


def test_an_agent_that_is_not_configured_is_refused(processes: Processes) -> None:
    here = processes.start()
    for call in (here.beat, here.state, lambda name: here.set_status(name, "online")):
        with pytest.raises(UnknownAgent):
            call("gpu_9")
    with pytest.raises(InvalidInput, match="online, maintenance"):
        here.set_status("gpu_1", "offline")


def test_the_beats_of_agents_that_are_no_longer_configured_are_nobodys(processes: Processes) -> None:
    here, there = processes.start(), processes.start(AGENTS[:1])
    here.beat("gpu_2", "running")
    processes.step(here, there)
    assert [state.agent.agent_id for state in there.states()] == ["gpu_1"]
    assert all(segment == "gpu_2" for segment, _, _ in processes.changes())


def test_closing_tells_what_nobody_knows_yet(processes: Processes) -> None:
    here = processes.start()
    here.start()
    here.start()
    here.beat("gpu_1", "cancelled")
    here.close()
    here.close()
    (kept,) = processes.presence.beats(processes.clock.now())
    assert kept.status == "cancelled"
    assert 0 < STEP_S < BEAT_S
    assert status(here) == AgentStatus.OFFLINE


def test_what_is_heard_while_the_others_are_asked_is_not_forgotten(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = processes.start()
    here.beat("gpu_1", "running", progress=0.1)
    read = processes.presence.beats

    def meanwhile(now: datetime) -> Sequence[Beat]:
        found = read(now)
        processes.clock.advance(1)
        here.beat("gpu_1", "running", progress=0.2)
        return found

    monkeypatch.setattr(processes.presence, "beats", meanwhile)
    processes.step(here)
    heard = here.state("gpu_1").beat
    assert heard is not None
    assert heard.progress == 0.2
    monkeypatch.setattr(processes.presence, "beats", read)
    processes.step(here)
    assert [said.progress for said in read(processes.clock.now())] == [0.2]


def test_a_fork_is_told_that_nobody_would_hear(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    attendance = processes.start()
    attendance.beat("gpu_1")
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        with pytest.raises(StoreError, match="before the process forked"):
            attendance.beat("gpu_1")
        # neither waits for a lock that another thread held when the process forked
        with attendance._lock, attendance._stepping:
            with pytest.raises(StoreError, match="before the process forked"):
                attendance.start()
            attendance.close()
    assert processes.presence.told == 0
