"""What the model says: of the small run, beside what was measured; of the large one; of what users have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple

from benchmarks.scale import model
from benchmarks.scale.model import Constants, Line, Poll, Size, Way

LARGE = Size(segments=1_000, models=50, gateways=100, calls_per_s=100_000.0)
DAY_S = 86_400.0
MASTERS = 16
"""Of a large Cluster: as many as a store has partitions, unless it is told otherwise."""
MASTER_BYTES = 48e9
"""Of a server of 64 GB: the rest is for fragmentation, buffers and a copy while it saves."""
MASTER_CPU = 0.5
MASTER_SENT = 0.6e9
"""Bytes a second, half of 10 Gbit/s."""
GATEWAY_SHARE = 0.5
"""Of a core, for following: the rest of it has requests to serve."""


class Check(NamedTuple):
    """A figure on paper and as it was measured. `within`: by which factor they may differ."""

    what: str
    paper: float
    measured: float
    within: float

    @property
    def ratio(self) -> float:
        """On paper to measured."""
        return self.paper / self.measured

    @property
    def holds(self) -> bool:
        """Whether they differ by no more than they may."""
        return 1 / self.within <= self.ratio <= self.within


class Need(NamedTuple):
    """What a size needs."""

    size: Size
    kept_days: int
    log: float
    state: float
    sent: float
    received: float
    server_cpu: float
    share: float

    @property
    def masters(self) -> int:
        """As many as their memory, CPU or network asks for, whichever asks for most."""
        return max(
            ceil((self.log + self.state) / MASTER_BYTES),
            ceil(self.server_cpu / MASTER_CPU),
            ceil(self.sent / MASTER_SENT),
        )


def read_constants(stored: Mapping[str, Any]) -> Constants:
    """Constants as they were written as data."""

    def way(one: Mapping[str, Any]) -> Way:
        return Way(**{name: Line(**held) for name, held in one.items()})

    read = {"commit": way(stored["commit"]), "read": way(stored["read"]), "poll": Poll(**stored["poll"])}
    return Constants(**{**stored, **read})


def checks(known: Constants, size: Size, run: Mapping[str, float], state: Mapping[str, float]) -> list[Check]:
    """The small run on paper and as it was; the state of another number of segments and models than was measured."""
    size = replace(size, calls_per_s=run["calls_per_s"])
    resting = size.gateways / model.IDLE_S
    seen = Size(int(state["segments"]), int(state["models"]), 1, 1.0)
    return [
        Check("bytes in the servers per call", model.call_bytes(known, size.models), run["held_per_call"], 1.25),
        Check("bytes of the state", model.state_bytes(known, seen, 1), state["held"], 1.25),
        Check("received by idle servers, bytes/s", resting * known.poll.received, run["idle_received"], 1.5),
        Check("sent by idle servers, bytes/s", resting * known.poll.sent, run["idle_sent"], 1.5),
        Check("received, bytes/s", model.flow(known, size, "received"), run["received"], 1.5),
        Check("sent, bytes/s", model.flow(known, size, "sent"), run["sent"], 1.5),
        Check(
            "cores of the servers",
            model.flow(known, size, "server_cpu_s") + known.idle_cpu_s,
            run["server_cpu_s"],
            2.0,
        ),
        Check("cores of a gateway", model.gateway_share(known, size), run["gateway_share"], 2.0),
        Check("looks of a gateway per second", model.looks_per_s(known, size), run["looks_per_s"], 1.5),
        Check("staleness, median, s", model.staleness_s(known, size, 0.5), run["staleness_p50_s"], 2.0),
        Check("staleness, 99th percentile, s", model.staleness_s(known, size, 0.99), run["staleness_p99_s"], 2.0),
    ]


def need(known: Constants, size: Size, kept_days: int, buckets: int) -> Need:
    """What that size takes when the log is as long as it gets: trimmed by whole days, so one more than is kept."""
    folding = model.folding_bytes_per_s(known, size)
    return Need(
        size=size,
        kept_days=kept_days,
        log=model.log_bytes(known, size, (kept_days + 1) * DAY_S),
        # what trimmed events taught is held once more
        state=2 * model.state_bytes(known, size, buckets),
        sent=model.flow(known, size, "sent") + folding,
        received=model.flow(known, size, "received") + folding,
        server_cpu=model.flow(known, size, "server_cpu_s") + folding * known.state_write_cpu_s,
        share=model.gateway_share(known, size),
    )


ADVISED = (
    (1.0, 2, 20, 5, 7, 1),
    (10.0, 4, 50, 10, 7, 1),
    (100.0, 8, 100, 10, 1, 16),
    (100.0, 8, 100, 10, 7, 16),
    (1_000.0, 16, 200, 10, 0, 16),
    (1_000.0, 16, 200, 10, 1, 16),
)
"""Calls a second, gateways, segments, models, days kept (0: an hour), partitions."""


def advised(known: Constants) -> list[Need]:
    """What sizes that users have take."""
    return [
        need(known, Size(segments, models, gateways, calls, partitions), days, model.BUCKETS_AT_MOST)
        for calls, gateways, segments, models, days, partitions in ADVISED
    ]


def limits(known: Constants) -> list[tuple[str, float]]:
    """Up to how many calls a second of the large size each thing is enough, the scarcest first."""

    def up_to(there: float, taken: float) -> float:
        return LARGE.calls_per_s * there / taken

    one_day = need(known, LARGE, 0, 1)
    found = {
        "memory for a day of log, of {masters} masters": up_to(MASTERS * MASTER_BYTES, one_day.log),
        "half a core in each gateway, to follow": model.calls_followed_per_s(known, LARGE.models, GATEWAY_SHARE),
        "network of {masters} masters": up_to(MASTERS * MASTER_SENT, one_day.sent),
        "CPU of {masters} masters": up_to(MASTERS * MASTER_CPU, one_day.server_cpu),
        "one process that folds, for each of {partitions} partitions": up_to(
            LARGE.partitions, model.folding_cores(known, LARGE)
        ),
    }
    named = {what.format(masters=MASTERS, partitions=LARGE.partitions): calls for what, calls in found.items()}
    return sorted(named.items(), key=lambda item: item[1])
