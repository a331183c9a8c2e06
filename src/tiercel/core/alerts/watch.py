"""What is breached, found by looking again only where that can have changed.

    everything, and each model       at every look: they are few
    a segment (a stage or an agent)  when something was learned of it, and else in its turn

A figure changes as well where nothing is learned: its window moves on by whole time buckets, at most once in 5 minutes.
So the other segments are gone through in turn, `SWEPT` at a look: 10,000 of them within 50 looks, about 4 minutes where
one looks every 5 seconds. At most `LOOKED` are looked at because something was learned of them; more wait for the next
look. So a look takes the same time whatever the history, and about as long with 10,000 segments as with 1,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tiercel.core.alerts.figures import segment_figures, standing_figures
from tiercel.core.alerts.own_rules import overall_breaches, segment_breaches
from tiercel.core.alerts.rules import Breach
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertKey, AlertThresholds
from tiercel.domain.request import Segment

LOOKED = 1_000
SWEPT = 200
NO_TIERS: Mapping[str, str] = MappingProxyType({})


class Watch:
    """Looks at one `Knowledge`, with the built-in thresholds and rules of one's own. `tiers` are the catalogue's.

    Not thread-safe.
    """

    def __init__(
        self, thresholds: AlertThresholds, rules: Sequence[AlertRule] = (), tiers: Mapping[str, str] = NO_TIERS
    ) -> None:
        self._thresholds = thresholds
        self._rules = tuple(rules)
        self._tiers = dict(tiers)
        self._seen_version = 0
        self._epoch = 0
        # dictionaries keep their order: what was touched first is looked at first
        self._touched: dict[Segment, None] = {}
        self._turn: list[Segment] = []
        self._found: dict[Segment, dict[AlertKey, Breach]] = {}

    def look(self, knowledge: Knowledge, now_us: int) -> dict[AlertKey, Breach]:
        """Every threshold that is breached at `now_us`: microseconds since the epoch, of the clock that stamped events.

        Of segments that were not looked at again, what was found last.
        """
        for segment in self._next(knowledge):
            found = segment_figures(knowledge, self._thresholds, segment, now_us)
            found |= segment_breaches(knowledge, self._rules, self._tiers, segment, now_us)
            if found:
                self._found[segment] = found
            else:
                self._found.pop(segment, None)
        breached = standing_figures(knowledge, self._thresholds, now_us)
        breached |= overall_breaches(knowledge, self._rules, self._tiers, now_us)
        for found in self._found.values():
            breached |= found
        return breached

    def _next(self, knowledge: Knowledge) -> list[Segment]:
        if knowledge.epoch != self._epoch:
            # everything was replaced: nothing of what was found holds, and nobody knows what changed
            self._epoch, self._turn = knowledge.epoch, []
            self._touched |= dict.fromkeys((*self._found, *knowledge.segments()))
        version = knowledge.version
        self._touched |= dict.fromkeys(knowledge.learned_since(self._seen_version))
        self._seen_version = version
        chosen = dict.fromkeys(segment for segment, _ in zip(self._touched, range(LOOKED), strict=False))
        for segment in chosen:
            del self._touched[segment]
        if not self._turn:
            # what is no longer held is looked at once more, to be found clear
            self._turn = list(dict.fromkeys((*self._found, *knowledge.segments())))
        self._turn, swept = self._turn[SWEPT:], self._turn[:SWEPT]
        chosen |= dict.fromkeys(swept)
        return list(chosen)
