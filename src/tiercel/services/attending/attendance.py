"""Which agents are online.

    beat -> memory -> (a thread) -> Presence -> every process that shares the store
    beats + the operator's word + the configuration -> online | offline | maintenance -> a change is logged once

What follows from beats is told in core/agent_status.py. Nobody waits for the store here: a beat is in memory at once,
and while the store is away what is known stays known, with its age.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tiercel.core.agent_status import CONFIGURED, OPERATOR, concluded, operators_word
from tiercel.domain.catalogue import Agent, AgentStatus
from tiercel.domain.errors import Conflict, InvalidInput, Problem, StoreError, StoreUnavailable, UnknownAgent
from tiercel.domain.events import StandingChange
from tiercel.domain.presence import BEAT_S, Beat, BeatStatus
from tiercel.domain.request import agent_segment
from tiercel.ports import Presence
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.intake import metadata_problems

log = logging.getLogger("tiercel.agents")

POLICY = "agent-status"
"""The policy under which it stands whether an agent is online."""
KEPT_S = 86_400.0
"""How long it is kept what an agent said last, for those who ask what became of it."""
STEP_S = 2.0
"""How often it is looked at what the other processes have heard."""
GATHER_S = 0.2
"""How long a step waits for more beats to come: many agents are one step in the store."""
ACKNOWLEDGE_S = 1.0
_ATTEMPTS = 5
_SETTABLE = (AgentStatus.ONLINE, AgentStatus.MAINTENANCE)


@dataclass(frozen=True, slots=True)
class AgentState:
    """An agent now. `since` is when it came to have its status, None where that was never recorded.

    `beat` is what it said last, `age_s` how long ago; both are None where nothing was heard for `KEPT_S`.
    """

    agent: Agent
    status: AgentStatus
    reason: str
    since: datetime | None
    beat: Beat | None
    age_s: float | None


@dataclass(slots=True)
class Run:
    """An agent that works in this process: it beats by itself until it has ended."""

    agent_id: str
    progress: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    beaten_at_s: float = 0.0


class Attendance:
    """Who is there of the configured agents. Thread-safe; nothing but `set_status` and `step` waits for the store.

    Only configured agents may beat: a name nobody configured has no requirements, could not be assigned a model, and
    is most likely mistyped.
    """

    def __init__(self, learner: Learner, presence: Presence, agents: Sequence[Agent]) -> None:
        self._learner = learner
        self._presence = presence
        self._agents = {agent.agent_id: agent for agent in agents}
        self._lock = threading.Lock()
        self._stepping = threading.Lock()
        self._beats: dict[str, Beat] = {}
        self._unsent: dict[str, Beat] = {}
        self._runs: dict[int, Run] = {}
        self._heard = False
        self._away = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None

    def beat(
        self,
        agent_id: str,
        status: str = BeatStatus.RUNNING,
        *,
        progress: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AgentState:
        """An agent says that it is alive, and what it is doing; what follows from it. Memory only, about 10 us.

        Raises `UnknownAgent`, `InvalidInput` with every problem; `StoreError` in a fork, from which nobody would hear.
        """
        self._check_process()
        agent = self.agent(agent_id)
        problems = _problems(status, progress, metadata or {})
        if problems:
            raise InvalidInput(problems)
        now = self._learner.clock.now()
        said = Beat(agent_id=agent_id, status=status, at=now, progress=progress, metadata=dict(metadata or {}))
        with self._lock:
            self._beats[agent_id] = self._unsent[agent_id] = said
        self._wake.set()
        return self._state(agent, now)

    def agent(self, agent_id: str) -> Agent:
        """The configured agent of that id. Raises `UnknownAgent`."""
        try:
            return self._agents[agent_id]
        except KeyError:
            raise UnknownAgent(agent_id[:256]) from None

    def state(self, agent_id: str) -> AgentState:
        """An agent now. Raises `UnknownAgent`."""
        return self._state(self.agent(agent_id), self._learner.clock.now())

    def states(self) -> list[AgentState]:
        """All of them now, in the order of the configuration."""
        now = self._learner.clock.now()
        return [self._state(agent, now) for agent in self._agents.values()]

    def agents(self) -> list[Agent]:
        """The configured agents, each with the status it has now."""
        return [replace(state.agent, status=state.status) for state in self.states()]

    def set_status(self, agent_id: str, status: str) -> tuple[AgentState, bool]:
        """The operator's word: "maintenance", or "online" to end that; and whether it is in the log yet.

        Waits up to a second for the log. Raises `UnknownAgent`, `InvalidInput`, `BufferFull`.
        """
        agent = self.agent(agent_id)
        if status not in _SETTABLE:
            allowed = f"must be one of {', '.join(_SETTABLE)}"
            raise InvalidInput([Problem("status", allowed, repr(status)[:80], "unknown")])
        for _ in range(_ATTEMPTS):
            standing = self._standing(agent)
            change = self._change(agent, standing, status, OPERATOR, word=status)
            try:
                receipt = self._learner.record(change, timeout_s=ACKNOWLEDGE_S)
            except StoreUnavailable:
                return self.state(agent_id), False
            if receipt.kept or receipt.accepted:
                return self.state(agent_id), not receipt.kept
            self._learner.catch_up()  # somebody else's change has that revision: ours comes after it
        raise Conflict(agent_id)

    def begin(self, run: Run) -> None:
        """Beat for `run` by itself from now on."""
        self.beat(run.agent_id, BeatStatus.STARTING, progress=run.progress, metadata=run.metadata)
        run.beaten_at_s = self._learner.clock.monotonic_s()
        with self._lock:
            self._runs[id(run)] = run

    def end(self, run: Run, status: str) -> None:
        """The run has ended, as `status` says."""
        with self._lock:
            self._runs.pop(id(run), None)
        self.beat(run.agent_id, status, progress=run.progress, metadata=run.metadata)

    def step(self) -> None:
        """Beat for who works here, share with the others what was heard, and log what follows from it.

        Whether an agent changed is concluded from what was known before the beats were read: if another process has
        concluded something since, from beats that are newer, it has taken the revision and ours is not recorded.
        """
        with self._stepping:
            self._beat_for_runs()
            standings = {agent_id: self._standing(agent) for agent_id, agent in self._agents.items()}
            try:
                self._exchange()
            except StoreError as error:
                if not self._away:
                    log.warning("the agents' heartbeats cannot be shared until the store is back: %s", error)
                self._away = True
                return
            self._away = False
            self._conclude(standings)

    def start(self) -> None:
        """Step from now on, in a thread of its own; idempotent. Nothing to do where no agents are configured.

        Raises `StoreError` in a fork.
        """
        self._check_process()
        with self._lock:
            if self._thread is None and self._agents and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name="tiercel-agents", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Tell the others what they do not know yet, and stop; idempotent."""
        if self._pid != os.getpid() or self._ended.is_set():
            return  # in a fork the thread that may have held a lock is not there to release it
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if self._unsent:
            self.step()

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise StoreError("this was opened before the process forked: open the store in each process for itself")

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.step()
            except Exception:  # a fault of ours in one step must not end all that follow
                log.exception("looking after the agents failed by a fault of tiercel")
            self._ended.wait(GATHER_S)
            self._wake.wait(STEP_S)
            self._wake.clear()

    def _beat_for_runs(self) -> None:
        now_s = self._learner.clock.monotonic_s()
        with self._lock:
            due = [run for run in self._runs.values() if now_s - run.beaten_at_s >= BEAT_S]
        for run in due:
            run.beaten_at_s = now_s
            self.beat(run.agent_id, BeatStatus.RUNNING, progress=run.progress, metadata=run.metadata)

    def _exchange(self) -> None:
        with self._lock:
            unsent = dict(self._unsent)
        if unsent:
            self._presence.beat(list(unsent.values()), KEPT_S)
        found = self._presence.beats(self._learner.clock.now())
        with self._lock:
            for agent_id, said in unsent.items():
                if self._unsent.get(agent_id) is said:
                    del self._unsent[agent_id]
            for said in found:
                known = self._beats.get(said.agent_id)
                newer_here = said.agent_id in self._unsent or (known is not None and known.at > said.at)
                if said.agent_id in self._agents and not newer_here:
                    self._beats[said.agent_id] = said
            self._heard = True

    def _conclude(self, standings: Mapping[str, StandingChange | None]) -> None:
        now = self._learner.clock.now()
        for agent in self._agents.values():
            standing = standings[agent.agent_id]
            said = self._beats.get(agent.agent_id)
            status, reason = concluded(agent, standing, said, now, heard=self._heard)
            before = standing.current if standing else agent.status
            first_heard = standing is None and said is not None
            if (status != before or first_heard) and reason not in (OPERATOR, CONFIGURED):
                self._learner.leave(self._change(agent, standing, status, reason, word=operators_word(standing)))

    def _state(self, agent: Agent, now: datetime) -> AgentState:
        standing = self._standing(agent)
        said = self._beats.get(agent.agent_id)
        status, reason = concluded(agent, standing, said, now, heard=self._heard)
        since = standing.changed_at if standing and standing.current == status else None
        return AgentState(agent, status, reason, since, said, said.age_s(now) if said else None)

    def _standing(self, agent: Agent) -> StandingChange | None:
        return self._learner.knowledge.standing(POLICY, agent_segment(agent.agent_id))

    def _change(
        self, agent: Agent, standing: StandingChange | None, status: str, reason: str, *, word: str
    ) -> StandingChange:
        return StandingChange(
            changed_at=self._learner.clock.now(),
            segment=agent_segment(agent.agent_id),
            policy=POLICY,
            previous=standing.current if standing else agent.status,
            current=str(status),
            reason=reason,
            confidence=1.0,
            revision=standing.revision + 1 if standing else 1,
            evidence={"operator": word} if word else {},
        )


def _problems(status: object, progress: object, metadata: Mapping[str, Any]) -> list[Problem]:
    problems = metadata_problems(metadata)
    if status not in tuple(BeatStatus):
        problems.append(Problem("status", f"must be one of {', '.join(BeatStatus)}", repr(status)[:80], "unknown"))
    number = isinstance(progress, int | float) and not isinstance(progress, bool) and 0 <= progress <= 1
    if progress is not None and not number:
        problems.append(Problem("progress", "must be a number in 0..1", repr(progress)[:80], "range"))
    return problems
