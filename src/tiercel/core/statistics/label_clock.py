"""The label clock: how much has been learned of a segment, in half-lives. Old ratings fade by it, not by the hour.

It advances by 1/`HALF_LIFE_LABELS` per rating. A flood of ratings does not wipe out what was known a day ago, and
what nobody has confirmed for a month is doubted all the same: a half-life lasts at least `SHORTEST_S` and at most
`LONGEST_S`. A rating weighs 2 ** (its reading - the reading now): forward decay (Cormode, Shkapenyuk, Srivastava, Xu:
"Forward decay", ICDE 2009, section III), so that what fades still adds up in any order.

The reading is written on every rating when it is logged (`Label.tick`); replaying the log gives the same weights.
"""

from __future__ import annotations

from typing import NamedTuple

HALF_LIFE_LABELS = 700
SHORTEST_S = 86_400.0
LONGEST_S = 30 * 86_400.0


class LabelClock(NamedTuple):
    """A reading in half-lives, and when it was taken. The later of two readings is the one that holds."""

    tick: float = 0.0
    at_us: int = 0

    def after(self, labels: int, now_us: int) -> LabelClock:
        """The reading at `now_us`, so many ratings later."""
        if not self.at_us:
            return LabelClock(0.0, now_us)
        elapsed_s = max(0, now_us - self.at_us) / 1e6
        advance = min(max(labels / HALF_LIFE_LABELS, elapsed_s / LONGEST_S), elapsed_s / SHORTEST_S)
        return LabelClock(self.tick + advance, max(self.at_us, now_us))
