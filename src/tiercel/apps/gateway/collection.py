"""Python's collector of cycles, set so that no decision waits for it for long.

What a gateway keeps (decisions that may be rated, events that wait for a store that is away) has no cycles in it, and
is many small objects. Python looks at all of them whenever they have grown by a quarter: 380 ms for 20,000 calls that
wait, during which nothing else is done. Garbage that is in cycles is young.
"""

from __future__ import annotations

import gc

YOUNG = 2_000
"""Objects made, and not freed, between two collections of the youngest."""

MIDDLE = 1
"""Collections of the youngest between two of those that outlived one: at most twice `YOUNG` are looked at together."""

OLD = 2_000
"""Collections of these between two of everything: 8 million objects kept, more than the buffer in front of a store."""


def collect_in_small_steps() -> None:
    """Look at few objects at a time from now on, and at what was loaded by now never again. For a whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
