"""Scale on paper: plain functions from measured constants and a size to memory, bandwidth, CPU and staleness.

A call is a decision among some candidates, its outcome and one rating. Everything is per second where a name ends so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import NamedTuple

EVENTS = 3
"""Of a call."""
LINGER_S = 0.05
IDLE_S = 0.4
CHANCES_TRIED = 60
BUCKETS_OF_A_DAY = 57
"""Time buckets that a key has after a day: 36 of 5 minutes, 21 of an hour."""
BUCKETS_AT_MOST = 249
"""And after a month: 36 of 5 minutes, 189 of an hour, 23 of a day, one for all before."""


@dataclass(frozen=True, slots=True)
class Line:
    """What something costs: for each partition spoken to, for each call, and for each candidate of a call."""

    partition: float
    call: float
    candidate: float

    def of_call(self, candidates: float) -> float:
        """One call more."""
        return self.call + self.candidate * candidates

    def at(self, partitions: float, calls: float, candidates: float) -> float:
        """All together."""
        return self.partition * partitions + calls * self.of_call(candidates)


@dataclass(frozen=True, slots=True)
class Way:
    """What is taken on the way into the servers, or out of them: bytes to and from them, their CPU, the gateway's."""

    received: Line
    sent: Line
    server_cpu_s: Line
    gateway_cpu_s: Line


@dataclass(frozen=True, slots=True)
class Poll:
    """The same for a look at the end of the log that finds nothing. `took_s`: until the answer was there."""

    received: float
    sent: float
    server_cpu_s: float
    gateway_cpu_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Constants:
    """What was measured.

    Bytes in the servers are per kind of event, and of the state per key and per time bucket of it. `commit_took_s` is
    the time a commit of one call takes, `idle_cpu_s` what the servers take a second with nobody there. A gateway takes
    `state_read_s` to read a byte of the state, a server `state_write_cpu_s` to write one.
    Every `learn_every` events of a partition its state is folded.
    """

    decision: float
    candidate: float
    outcome: float
    rating: float
    state_key: float
    state_bucket: float
    commit: Way
    read: Way
    poll: Poll
    commit_took_s: float
    idle_cpu_s: float = 0.0
    state_read_s: float = 0.0
    state_write_cpu_s: float = 0.0
    learn_every: int = 10_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. `tiers` have statistics of their own, as each segment has."""

    segments: int
    models: int
    gateways: int
    calls_per_s: float
    partitions: int = 16
    tiers: int = 3

    @property
    def own_per_s(self) -> float:
        """Calls that one gateway makes."""
        return self.calls_per_s / self.gateways


def call_bytes(known: Constants, candidates: int) -> float:
    """What the log holds of a call, with everything that finds it again."""
    return known.decision + known.candidate * candidates + known.outcome + known.rating


def log_bytes(known: Constants, size: Size, kept_s: float) -> float:
    """The log, when it has been running for as long as it is kept."""
    return call_bytes(known, size.models) * size.calls_per_s * kept_s


def state_bytes(known: Constants, size: Size, buckets: int) -> float:
    """The learned state: keys are models and tiers of segments, segments, models, and all."""
    keys = size.segments * (size.models + size.tiers + 1) + size.models + 1
    return keys * (known.state_key + buckets * known.state_bucket)


def touched(partitions: int, segments: int, calls: float) -> float:
    """How many partitions have any of so many calls, spread evenly over them; over few segments, over fewer."""
    places = partitions * (1 - (1 - 1 / partitions) ** segments)
    return places * (1 - (1 - 1 / places) ** calls) if places > 1 else min(calls, 1.0)


def commits_per_s(known: Constants, size: Size) -> float:
    """Of one gateway: a call comes, waits for company, is committed, and what others did is read."""
    return 1 / (1 / size.own_per_s + LINGER_S + known.commit_took_s + known.poll.took_s)


def looks_per_s(known: Constants, size: Size) -> float:
    """How often one gateway reads on: with each commit, as others logged meanwhile, and now and then."""
    return commits_per_s(known, size) + 1 / IDLE_S


class _Pace(NamedTuple):
    """Commits and looks a second of one gateway, and how many calls each concerns."""

    commits: float
    looks: float
    own: float
    new: float


def _pace(known: Constants, size: Size) -> _Pace:
    commits, looks = commits_per_s(known, size), looks_per_s(known, size)
    return _Pace(commits, looks, size.own_per_s / commits, size.calls_per_s / looks)


def _of_one(size: Size, pace: _Pace, commit: Line, read: Line, poll: float) -> float:
    return (
        pace.commits * commit.at(touched(size.partitions, size.segments, pace.own), pace.own, size.models)
        + pace.looks * read.at(touched(size.partitions, size.segments, pace.new), pace.new, size.models)
        + _polls(pace.looks, pace.new) * poll
    )


def flow(known: Constants, size: Size, what: str) -> float:
    """`received` or `sent` bytes, or `server_cpu_s`, of all servers together."""
    costs = (getattr(part, what) for part in (known.commit, known.read, known.poll))
    return size.gateways * _of_one(size, _pace(known, size), *costs)


def gateway_share(known: Constants, size: Size) -> float:
    """The share of a core that a gateway spends on its store; from 1 on it cannot follow event by event."""
    commit, read, poll = known.commit.gateway_cpu_s, known.read.gateway_cpu_s, known.poll.gateway_cpu_s
    return _of_one(size, _pace(known, size), commit, read, poll)


def _polls(looks: float, new: float) -> float:
    """A look ends with a poll that finds nothing; where so many calls are new on average, most have one before."""
    return looks * (2 - exp(-new))


def calls_followed_per_s(known: Constants, candidates: int, share: float) -> float:
    """How many calls of all gateways one of them can read and learn with such a share of a core."""
    return share / known.read.gateway_cpu_s.of_call(candidates)


def staleness_s(known: Constants, size: Size, chance: float) -> float:
    """How old what a gateway learns is, with that chance at most; where it can follow event by event.

    A call waits for company, is committed, and found by the next look: one that comes every `IDLE_S`, or with the
    reader's own next commit, whichever is first. Reading takes longer the busier a gateway is.
    """
    slower = 1 / (1 - min(gateway_share(known, size), 0.99))
    found = _waited(chance, commits_per_s(known, size))
    return LINGER_S + (known.commit_took_s + 2 * known.poll.took_s) * slower + found


def _waited(chance: float, commits: float) -> float:
    least, most = 0.0, IDLE_S
    for _ in range(CHANCES_TRIED):
        middle = (least + most) / 2
        still = (1 - middle / IDLE_S) * exp(-commits * middle)
        least, most = (middle, most) if still > 1 - chance else (least, middle)
    return least


def folds_per_s(known: Constants, size: Size) -> float:
    """How often any partition's part of the log is folded into the state: each event is, once."""
    return size.calls_per_s * EVENTS / known.learn_every


def fold_bytes(known: Constants, size: Size) -> float:
    """What of the state one fold reads, and writes again: every key that any of its calls concerned."""
    own = size.segments / size.partitions
    cells = own * size.models
    touched_cells = cells * (1 - (1 - 1 / cells) ** (known.learn_every / EVENTS)) if cells > 1 else 1.0
    return (touched_cells + own * (size.tiers + 1) + size.models + 1) * (known.state_key + known.state_bucket)


def folding_bytes_per_s(known: Constants, size: Size) -> float:
    """All folds, in each direction."""
    return folds_per_s(known, size) * fold_bytes(known, size)


def folding_cores(known: Constants, size: Size) -> float:
    """Cores of gateways that fold the log into the state, all together. A partition is folded by one at a time."""
    learned = size.calls_per_s * known.read.gateway_cpu_s.of_call(size.models)
    return learned + folding_bytes_per_s(known, size) * known.state_read_s


def tail_calls(known: Constants, size: Size) -> float:
    """Calls that are not folded yet, on average: half of what a partition folds at once, in each."""
    return size.partitions * known.learn_every / 2 / EVENTS


def load_bytes(known: Constants, size: Size, buckets: int) -> float:
    """What a gateway is sent that starts, or is far behind: the state, and the log behind it."""
    tail = tail_calls(known, size) * known.read.sent.of_call(size.models)
    return state_bytes(known, size, buckets) + tail


def load_s(known: Constants, size: Size, buckets: int) -> float:
    """How long that takes, on one core."""
    tail = tail_calls(known, size) * known.read.gateway_cpu_s.of_call(size.models)
    return state_bytes(known, size, buckets) * known.state_read_s + tail
