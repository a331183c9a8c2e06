"""What agents tell one another: logged, in one order that is the same for everyone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiercel.domain.errors import InvalidInput, Problem, UnknownAgent
from tiercel.domain.events import Signal
from tiercel.domain.names import name_problem
from tiercel.services.attending.attendance import Attendance
from tiercel.services.ids import new_signal_id
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.intake import metadata_problems


class Signals:
    """Signals between the configured agents. They are kept as long as the log is."""

    def __init__(self, learner: Learner, attendance: Attendance, *, new_id: Callable[[], str] = new_signal_id) -> None:
        self._learner = learner
        self._attendance = attendance
        self._new_id = new_id

    def prepare(
        self, from_agent: str, name: str, *, to_agent: str = "", payload: Mapping[str, Any] | None = None
    ) -> Signal:
        """The event of what an agent tells another, or all where `to_agent` is "".

        Raises `UnknownAgent` for the sender, `InvalidInput` with every other problem.
        """
        self._attendance.agent(from_agent)
        problems = [
            Problem(f"payload{problem.path.removeprefix('metadata')}", problem.message, problem.found, problem.kind)
            for problem in metadata_problems(payload or {})
        ]
        wrong_name = name_problem("name", name)
        problems += [wrong_name] if wrong_name else []
        try:
            if to_agent:
                self._attendance.agent(to_agent)
        except UnknownAgent as error:
            problems.append(Problem("to_agent", str(error), repr(to_agent)[:80], "unknown"))
        if problems:
            raise InvalidInput(problems)
        return Signal(
            id=self._new_id(),
            recorded_at=self._learner.clock.now(),
            from_agent=from_agent,
            name=name,
            to_agent=to_agent,
            payload=dict(payload or {}),
        )

    def to(self, agent_id: str, *, after: str = "", limit: int = 100) -> Sequence[Signal]:
        """The next signals to an agent or to all, its own among them, after the one of the id `after`.

        Reads the store. Raises `UnknownAgent`, `StoreError`.
        """
        self._attendance.agent(agent_id)
        return self._learner.store.signals(agent_id, after, limit)
