"""A network between processes and the one store they share, in which whatever can happen to a request does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from simulation.divided import GONE, DividedStore
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event

T = TypeVar("T")


class Crashed(BaseException):
    """The process ends here, in the middle of whatever it did: nothing handles that."""


@dataclass(slots=True)
class Weather:
    """How likely each is, of one request. What arrives late comes after its sender gave up, and in any order."""

    lost: float = 0.0
    late: float = 0.0
    twice: float = 0.0
    answer_lost: float = 0.0
    crash: float = 0.0


class Network:
    """Requests to `store`, and what becomes of them by `random`. `cut_off` are the processes that reach nobody."""

    def __init__(self, store: DividedStore, random: Random) -> None:
        self.store = store
        self.weather = Weather()
        self.down = False
        self.cut_off: set[str] = set()
        self._random = random
        self._on_the_way: list[Callable[[], object]] = []

    def ask(self, who: str, do: Callable[[], T]) -> T:
        """The store's answer. Raises `StoreUnavailable`, and then nobody knows what was done."""
        draw, weather = self._random.random, self.weather
        if draw() < weather.crash:
            raise Crashed
        if self.down or who in self.cut_off or draw() < weather.lost:
            raise StoreUnavailable("no answer: it was lost")
        if draw() < weather.late:
            self._on_the_way.append(do)
            raise StoreUnavailable("no answer: it is late")
        answer = do()
        if draw() < weather.twice:
            self._on_the_way.append(do)
        if draw() < weather.crash:
            raise Crashed
        if draw() < weather.answer_lost:
            raise StoreUnavailable("no answer: that was lost")
        return answer

    def arrive(self) -> None:
        """One of the requests that were on the way arrives; its sender is not there any more."""
        if self._on_the_way:
            with suppress(StoreUnavailable):
                self._on_the_way.pop(self._random.randrange(len(self._on_the_way)))()

    def clear_up(self) -> None:
        """All that is on the way arrives, and everything works from now on."""
        while self._on_the_way:
            self.arrive()
        self.weather = Weather()
        self.down = False
        self.cut_off.clear()
        self.store.flaky = 0.0


class DistantStore:
    """The store as one process sees it: whatever is asked of it goes over the network."""

    url = "redis://simulated:6379/0"

    def __init__(self, network: Network, who: str) -> None:
        self._network = network
        self._who = who

    @property
    def missing(self) -> Mapping[int, str]:
        """The parts that are away."""
        return dict.fromkeys(self._network.store.away, GONE)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._network.store, name)

        def ask(*arguments: object, **options: object) -> Any:  # noqa: ANN401 - whatever the store answers
            return self._network.ask(self._who, lambda: method(*arguments, **options))

        return ask

    def part_of(self, event: Event) -> int:
        """As the store says, which nobody has to be asked for."""
        return self._network.store.part_of(event)

    def close(self) -> None:
        """Nothing is held."""
