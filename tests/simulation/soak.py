"""More seeds than `make test` has time for: `make soak SEEDS=20000 FIRST=1000`."""

from __future__ import annotations

import argparse
import logging
import sys

from rich.console import Console
from rich.progress import track

from simulation.world import TURNS, World


def main() -> int:
    """The number of seeds that broke something, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--turns", type=int, default=TURNS, help="how much happens under each")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    console = Console()
    broken = acknowledged = decisions = 0
    for seed in track(range(asked.first, asked.first + asked.seeds), "seeds", console=console):
        world = World(seed, asked.turns)
        found = world.play()
        acknowledged += len(world.ledger.acknowledged)
        decisions += world.ledger.decisions
        if found:
            broken += 1
            console.print(
                f"seed {seed} (alone: make soak FIRST={seed} SEEDS=1 TURNS={asked.turns}): {'; '.join(found)}"
            )
    console.print(
        f"{broken} of {asked.seeds} seeds broke an invariant; {decisions} decisions returned, {acknowledged}"
        " acknowledged events stored"
    )
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
