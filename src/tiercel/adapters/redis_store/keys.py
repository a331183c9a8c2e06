"""What the store's keys are called, and what belongs into which partition: the one place that decides on hash tags.

A step of the script reaches what carries one tag. On one server that is the whole store, under {name}. On a Cluster a
store is divided into partitions, each under a tag of its own, and all that concerns a segment is in one of them. Tags
are chosen so that the partitions lie evenly in the range of slots, as masters do.

The `feedback:` keys carry no tag, for their form is what other tools read: on a Cluster no step reaches them.

Names are percent-encoded in keys, so that none can be mistaken for, or reach into, another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple
from urllib.parse import quote
from zlib import crc32

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tiercel.adapters.codec import encode_key
from tiercel.domain.alerts import Alert
from tiercel.domain.events import Event
from tiercel.domain.request import Segment

POSITION_DIGITS = 16
"""Positions are written with leading zeros, so that members of equal score sort by them."""

US_PER_DAY = 86_400_000_000


class Key(NamedTuple):
    """A key and the type of what is kept there."""

    name: str
    type: str


def position_text(position: int) -> str:
    """A position as it is written."""
    return f"{position:0{POSITION_DIGITS}d}"


def feedback_key(workflow: str, stage: str, tier: str, feedback_id: str) -> Key:
    """The rating as other tools see it."""
    return Key(":".join(("feedback", *map(_escaped, (workflow, stage, tier, feedback_id)))), "string")


class Keys:
    """The keys of a partition. `siblings` are all of a divided store, and none where the store is not divided."""

    def __init__(self, tag: str, siblings: Sequence[Keys] = ()) -> None:
        self._siblings = siblings
        self._prefix = f"tiercel:{{{tag}}}:"
        self.progress = self._key("hash", "progress")
        """How far the log goes, and what became of it; see progress.py."""
        self.log = self._key("stream", "log")
        """The events; the id of an entry is its position and "-0"."""
        self.ids = self._key("hash", "ids")
        """kind:id -> position."""
        self.decisions = self._key("zset", "decisions")
        """Positions by time, as in `alerts`."""
        self.alerts = self._key("zset", "alerts")
        self.alert_trail = self._key("zset", "alert-trail")
        self.changes = self._key("zset", "changes")
        self.beating = self._key("zset", "beating")
        """The agents that were heard, by the time until which that is kept; in the first partition."""
        self.completions = self._key("zset", "completions")
        """The completion's id in JSON, a NUL and the outcome's position; all of score 0, so sorted by the text."""
        self.days = self._key("zset", "days")
        """The days that `day` is kept for."""
        self.claims = self._key("hash", "claims")
        """Where ratings are: the partition that the rating of an id is in; see `claimed`."""

    @property
    def divided(self) -> bool:
        """Whether the store has parts that no one step reaches together."""
        return bool(self._siblings)

    def claimed(self, feedback_id: str) -> Sequence[Key]:
        """The `claims` that tell where the rating of that id is, in a divided store.

        Half the range of slots lies between them: while one master is away, one of them is there.
        """
        count = len(self._siblings)
        first = crc32(feedback_id.encode()) % count
        return [self._siblings[number].claims for number in dict.fromkeys((first, (first + count // 2) % count))]

    def day(self, number: int) -> Key:
        """The positions of a day's events, in the order they arrived; `number` counts days since 1970."""
        return self._key("list", "day", str(number))

    def about(self, decision_id: str) -> Key:
        """What followed a decision: `o:` and an outcome's id, `f:` and the source of a rating in force -> position."""
        return self._key("hash", "about", decision_id)

    def beat(self, agent_id: str) -> Key:
        """What an agent said last; kept under a time to live."""
        return self._key("string", "beat", agent_id)

    def signals(self, to_agent: str) -> Key:
        """Positions of the signals to an agent ("": to all), all of score 0, so sorted by the text."""
        return self._key("zset", "signals", to_agent)

    def history(self, workflow: str, stage: str, tier: str | None) -> Key:
        """Positions by time: of a tier's ratings in force, or (tier None) of a stage's that were revised."""
        if tier is None:
            return self._key("zset", "revised", workflow, stage)
        return self._key("zset", "history", workflow, stage, tier)

    def rated(self, workflow: str) -> Key:
        """Which histories a workflow has: [stage, tier] or [stage] in JSON."""
        return self._key("set", "rated", workflow)

    def state(self, layer: str) -> Key:
        """A layer of the learned state; see layers.py."""
        return self._key("hash", "state", layer)

    def _key(self, kind: str, *parts: str) -> Key:
        return Key(self._prefix + ":".join(map(_escaped, parts)), kind)


def undivided(name: str) -> Sequence[Keys]:
    """The keys of a store on one server, as of one partition."""
    return [Keys(_escaped(name))]


def divided(name: str, partitions: int) -> Sequence[Keys]:
    """The keys of a store on a Cluster."""
    siblings: list[Keys] = []
    siblings += [Keys(_tag(_escaped(name), partition, partitions), siblings) for partition in range(partitions)]
    return siblings


def home_of(segment: Segment, partitions: int) -> int:
    """The partition of all that concerns a segment."""
    return crc32(encode_key(segment).encode()) % partitions


def home(event: Event, partitions: int) -> int:
    """The partition an event belongs into; alerts are of no segment, and each is by itself."""
    return home_of((event.id,) if isinstance(event, Alert) else event.segment, partitions)


def _tag(name: str, partition: int, partitions: int) -> str:
    """The first of its kind whose slot is in the partition's share of all slots."""
    tags = (f"{name}:{partition}/{partitions}:{number}" for number in count())
    return next(tag for tag in tags if key_slot(tag.encode()) * partitions // REDIS_CLUSTER_HASH_SLOTS == partition)


def _escaped(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")
