"""A process of some gateways, each with its own learner and its own connections.

    python -m benchmarks.scale.gateways URL FIRST COUNT RATE SECONDS CANDIDATES SEGMENTS SEED

It says when it is ready, waits to be told to go on, sends traffic, says when that was over, and, when it is told that
all is over, what its gateways saw and know.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.scale.script import Script

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.codec import state_rows
from tiercel.adapters.redis_store import RedisStore
from tiercel.bootstrap import SHARED_IDLE_S
from tiercel.core.statistics.fold import OVERALL, Deltas
from tiercel.domain.events import Event, Outcome
from tiercel.ports import Appended, Fold, Position
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner


@dataclass(slots=True)
class Seen:
    """What happened to one gateway. `lags_s`: how old others' calls were when they were learned."""

    commits: int = 0
    looks: int = 0
    events_read: int = 0
    loads: int = 0
    append_s: float = 0.0
    read_s: float = 0.0
    learned_at_s: float = 0.0
    lags_s: list[float] = field(default_factory=list)
    calls: int = 0
    state: str = ""


class WatchedStore(RedisStore):
    """A store that counts what is asked of it."""

    def __init__(self, url: str, seen: Seen) -> None:
        super().__init__(url)
        self._seen = seen

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """Count and time it."""
        began_s = time.monotonic()
        appended = super().append(events, fold)
        self._seen.commits += 1
        self._seen.append_s += time.monotonic() - began_s
        return appended

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """Count and time it."""
        began_s = time.monotonic()
        events, reached = super().events_after(position, limit)
        self._seen.looks += not events  # each look ends with one that finds nothing
        self._seen.events_read += len(events)
        self._seen.read_s += time.monotonic() - began_s
        return events, reached

    def load(self) -> tuple[Deltas, Position]:
        """Count it."""
        self._seen.loads += 1
        return super().load()


class Gateway:
    """One of many: what it left is in the store, what it knows is counted."""

    def __init__(self, url: str, who: int) -> None:
        self.who = who
        self.seen = Seen()
        self._own = f"dec_{who:08x}"
        store = WatchedStore(url, self.seen)
        self.learner = Learner(store, clock=SystemClock(), settings=CommitSettings(idle_s=SHARED_IDLE_S))
        self.learner.subscribe(self._learned)
        self.learner.start()

    def reset(self) -> None:
        """What came before is not counted."""
        for name, value in asdict(Seen()).items():
            setattr(self.seen, name, value)

    def told(self) -> Seen:
        """What it saw, and a digest of what it knows.

        Moments are left out: they are sums of real numbers, whose last digits depend on the order.
        """
        held = self.learner.knowledge.export().climbed(0.0)
        known = Deltas(sums=held.sums, outcomes=held.outcomes, ratings=held.ratings, standings=held.standings)
        digest = hashlib.sha256()
        # the order of a histogram's entries says nothing
        for row in sorted(
            (str(row.address), json.dumps(json.loads(row.body), sort_keys=True)) for row in state_rows(known)
        ):
            digest.update(repr(row).encode())
        self.seen.state = digest.hexdigest()
        self.seen.calls = sum(sums.requests for (key, _), sums in held.sums.items() if key == OVERALL)
        return self.seen

    def _learned(self, appended: Appended) -> None:
        now = self.learner.clock.now()
        self.seen.learned_at_s = time.monotonic()
        self.seen.lags_s += [
            (now - event.recorded_at).total_seconds()
            for event in appended.accepted
            if isinstance(event, Outcome) and not event.decision_id.startswith(self._own)
        ]


@dataclass(frozen=True, slots=True)
class Traffic:
    """`rate` calls a second of each gateway, at random moments, in any of so many segments."""

    rate: float
    seconds: float
    segments: int
    seed: int

    def flow(self, gateways: Sequence[Gateway], script: Script) -> float:
        """Send it; when the last call was left."""
        chance = random.Random(self.seed)
        began_s = at_s = time.monotonic()
        number, left_s = 0, began_s
        while (at_s := at_s + chance.expovariate(self.rate * len(gateways))) < began_s + self.seconds:
            time.sleep(max(at_s - time.monotonic(), 0.0))
            gateway = chance.choice(gateways)
            now = gateway.learner.clock.now()
            gateway.learner.leave(*script.call(gateway.who, number, now, segments=self.segments))
            number, left_s = number + 1, time.monotonic()
        return left_s


def main() -> None:
    """Be that process."""
    url, *numbers = sys.argv[1:]
    first, count, rate, seconds, candidates, segments, seed = (float(number) for number in numbers)
    logging.disable()
    script = Script(int(candidates), int(seed))
    gateways = [Gateway(url, int(first) + number) for number in range(int(count))]
    print("ready", flush=True)
    sys.stdin.readline()
    for gateway in gateways:
        gateway.reset()
    cpu_s = time.process_time()
    left_s = Traffic(rate, seconds, int(segments), int(seed + first)).flow(gateways, script)
    print(json.dumps({"left_s": left_s, "cpu_s": time.process_time() - cpu_s}), flush=True)
    sys.stdin.readline()
    print(json.dumps([asdict(gateway.told()) for gateway in gateways]), flush=True)
    for gateway in gateways:
        gateway.learner.close()
        gateway.learner.store.close()


if __name__ == "__main__":
    main()
