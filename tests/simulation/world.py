"""A world of processes and one store, in which one seed decides what happens, and what must hold whatever did."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from random import Random

from simulation.divided import DividedStore
from simulation.network import Crashed, Network, Weather
from simulation.process import Ledger, Process
from tiercel.adapters.codec import kind_of
from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.fold import OVERALL, Deltas
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome

TURNS = 100
LONGEST_HEALING = 60
SKEW_S = CLOCKS_APART_US / 1e6 / 2
"""Either way: whose clock is ahead of another's by more is not believed about what is newest (Knowledge.add)."""
FAR_S = 10.0**11
"""So late that nothing is in fine buckets any more: when a state was compacted makes no difference then."""


class World:
    """A run under one seed. `play` gives what was broken: nothing, if all is well."""

    def __init__(self, seed: int, turns: int = TURNS) -> None:
        self._random = Random(seed)
        self._turns = turns
        self.store = DividedStore(self._random.choice((1, 2, 3)), self._random)
        self.network = Network(self.store, self._random)
        self.ledger = Ledger()
        names = [f"p{number}" for number in range(self._random.choice((2, 3)))]
        self.processes = [Process(name, self.network, self._random, self.ledger) for name in names]
        self._decisions: list[Decision] = []

    def play(self) -> list[str]:
        """Live through `turns` happenings, heal, and look."""
        self._set_the_weather()
        for process in self.processes:
            process.skew(self._random.uniform(-SKEW_S, SKEW_S))
            process.start()
        for _ in range(self._turns):
            self._happen()
        held_up = self._heal()
        return [
            *self.ledger.broken,
            *held_up,
            *self._acknowledged(),
            *self._counts(),
            *self._agreement(),
            *self._order(),
        ]

    def _set_the_weather(self) -> None:
        def some(most: float) -> float:
            return self._random.choice((0.0, self._random.uniform(0.0, most)))

        self.store.flaky = some(0.2)
        self.network.weather = Weather(some(0.3), some(0.3), some(0.3), some(0.3), some(0.05))
        for process in self.processes:
            process.disk.crash = some(0.05)

    def _happen(self) -> None:
        process = self._random.choice(self.processes)
        chance = self._random.random()
        try:
            if chance < 0.35:
                self._serve(process)
            elif chance < 0.50 and self._decisions:
                process.rate(self._random.choice(self._decisions[-10:]))
            elif chance < 0.80:
                process.step()
            elif chance < 0.85:
                self.network.arrive()
            else:
                self._disturb(process)
        except Crashed:
            process.crash()
        self._pass(self._random.uniform(0.0, 1.0))

    def _serve(self, process: Process) -> None:
        decision = process.decide()
        if decision is not None:
            self._decisions.append(decision)
            process.report(decision)

    def _disturb(self, process: Process) -> None:
        what = self._random.randrange(8)
        if what == 0:
            self.network.down = not self.network.down
        elif what == 1:
            self.network.cut_off ^= {process.name}
        elif what == 2:
            process.disk.broken = not process.disk.broken
        elif what == 3:
            process.crash()
        elif what == 4:
            process.skew(self._random.uniform(-SKEW_S, SKEW_S))
        elif what == 5:
            self._pass(400.0)  # time for housekeeping
        elif what == 6:
            self.store.away ^= {self._random.randrange(len(self.store.parts))}
        elif process.router is None:
            process.start()

    def _heal(self) -> list[str]:
        """The network works, the disks are mended, who crashed is started, and nobody calls any more.

        Parts that are away come back last: until then they hold up only what belongs to them.
        """
        self.network.clear_up()
        for process in self.processes:
            process.disk.crash, process.disk.broken = 0.0, False
            if process.router is None:
                process.start()
        self._settle()
        held = [process.name for process in self.processes if not process.waits_for <= self.store.away]
        self.store.away.clear()
        self._settle()
        return [f"held up by parts of the store that they did not need: {held}"] * bool(held)

    def _settle(self) -> None:
        for _ in range(LONGEST_HEALING):
            self._pass(5.0)
            for process in self.processes:
                process.step()
            if all(process.waits_for <= self.store.away for process in self.processes):
                break
        self._pass(5.0)
        for process in self.processes:  # once more, to read what the last of the others delivered
            process.step()

    def _pass(self, seconds: float) -> None:
        for process in self.processes:
            process.clock.advance(seconds)

    def _logged(self) -> list[Event]:
        return self.store.logged

    def _acknowledged(self) -> list[str]:
        """Acknowledged is stored."""
        missing = self.ledger.acknowledged - {event.id for event in self._logged()}
        waits = [process.name for process in self.processes if process.waits_for]
        return [f"acknowledged and lost: {sorted(missing)}"] * bool(missing) + [f"still waits: {waits}"] * bool(waits)

    def _counts(self) -> list[str]:
        """Counts equal unique ids."""
        logged = self._logged()
        calls = {event.id for event in logged if isinstance(event, Outcome)}
        rated = {(event.decision_id, event.source) for event in logged if isinstance(event, Feedback)}
        entries, names = len(logged), len({(kind_of(event), event.id) for event in logged})
        broken = [f"{entries} entries of {names} ids"] * (entries != names)
        for name, state in self._states().items():
            overall = [sums for (key, _), sums in state.sums.items() if key == OVERALL]
            counted = (sum(sums.requests for sums in overall), sum(sums.ratings for sums in overall))
            if counted != (len(calls), len(rated)):
                broken.append(f"{name} counts {counted}, the log has {(len(calls), len(rated))}")
        return broken

    def _agreement(self) -> list[str]:
        """All processes hold what the log teaches."""
        truth = self.store.load()[0].climbed(FAR_S)
        return [f"{name} holds something else than the log teaches" for name, s in self._states().items() if s != truth]

    def _states(self) -> dict[str, Deltas]:
        running = [(process.name, process.router) for process in self.processes if process.router is not None]
        return {name: router.learner.knowledge.export().climbed(FAR_S) for name, router in running}

    def _order(self) -> list[str]:
        """What one life of a process left is logged in that order, so that no rating overtakes its decision.

        That is so in each part of the store. What was given several times may stand where any of them put it.
        """
        position = {event.id: (self.store.part_of(event), number) for number, event in enumerate(self._logged())}
        given = Counter(event_id for process in self.processes for life in process.order for event_id in life)
        broken = []
        for process in self.processes:
            for life in process.order:
                logged = [position[event_id] for event_id in life if event_id in position and given[event_id] == 1]
                if sorted(logged, key=itemgetter(0)) != sorted(logged):
                    broken.append(f"{process.name} logged in another order than it was told")
        return broken
