"""A demo under way, on a terminal, or as plain lines where nobody watches. Everything fits 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tiercel.apps.demo.folder import DemoSettings
from tiercel.apps.demo.learned import Move
from tiercel.apps.demo.replay import Progress
from tiercel.apps.demo.table import MODELS
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.domain.catalogue import ModelTier

_COLOURS: Mapping[str, str] = {ModelTier.CHEAP: "green", ModelTier.CAPABLE: "cyan", ModelTier.PREMIUM: "magenta"}
_NEWEST = 160
"""The live shares are those of so many of the newest requests."""
_BAR = 26
_SHOWN_MOVES = 9
_PLAIN_LINES = 10

Tell = Callable[[Progress, Sequence[Move]], None]
"""Is called after every wave."""


def announce(console: Console, settings: DemoSettings) -> None:
    """Say what is about to be seen."""
    console.print(Text(f"\n{settings.prompts:,} real prompts, three models, one tiercel gateway", "bold"))
    console.print(Text("  ").join(tier_text(model.tier).append(f" {model.model_id}") for model in MODELS))
    rated = f"{settings.feedback_share:.0%} of answers rated, late"
    if settings.has_budget:
        goal = f"budget {dollars(1000 * settings.budget_usd)} per 1,000"
    else:
        goal = f"good enough is {settings.good_enough:g}" if settings.policy == TierRulesPolicy.name else "no budget"
    console.print(f"policy {settings.policy}; {goal}; {rated}; seed {settings.seed}\n")


@contextmanager
def watching(console: Console) -> Iterator[Tell]:
    """Gives what to tell of progress: a live display on a terminal, else a line for every tenth."""
    if not console.is_terminal:
        yield _tell_lines(console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda progress, moves: live.update(_panel(progress, moves), refresh=True)


def tier_text(*tiers: str, between: str = " -> ") -> Text:
    """Tiers in their colours."""
    return Text(between).join(Text(tier, tier_style(tier)) for tier in tiers)


def tier_style(tier: str) -> str:
    """The colour of a tier."""
    return _COLOURS.get(tier, "")


def dollars(cost_usd: float) -> str:
    """An amount with as many digits as it takes to see it."""
    if cost_usd < 0.001:
        return f"${cost_usd:.1g}"
    return f"${cost_usd:,.2f}" if cost_usd >= 0.1 else f"${cost_usd:.3f}"


def _tell_lines(console: Console) -> Tell:
    told = 0

    def tell(progress: Progress, moves: Sequence[Move]) -> None:  # noqa: ARG001 - the summary lists them
        nonlocal told
        done, total = len(progress.replies), len(progress.plan.prompts)
        if done * _PLAIN_LINES // total > told:
            told = done * _PLAIN_LINES // total
            shares = "  ".join(f"{tier} {share:.0%}" for tier, share in _shares(progress).items())
            console.print(f"{done:>5,}/{total:,}  {_running(progress)}  {shares}")

    return tell


def _panel(progress: Progress, moves: Sequence[Move]) -> Group:
    done, total = len(progress.replies), len(progress.plan.prompts)
    rows = Table.grid(padding=(0, 2))
    rows.add_row("answered", ProgressBar(total, done, width=_BAR), f"{done:,} of {total:,}")
    shares = _shares(progress)
    for model in MODELS:
        share, colour = shares[model.tier], _COLOURS[model.tier]
        bar = ProgressBar(1.0, share, width=_BAR, complete_style=colour, finished_style=colour)
        rows.add_row(f"  {model.tier}", bar, f"{share:>4.0%} of the newest {_NEWEST}")
    heading = [Text("\nstages that moved", "bold")] if moves else []
    changes = [
        Text(f"  {move.stage:14}")
        .append_text(tier_text(move.previous, move.current))
        .append(f"  {move.reason} after {move.ratings} ratings", "dim")
        for move in moves[-_SHOWN_MOVES:]
    ]
    return Group(rows, Text(f"\n{_running(progress)}"), *heading, *changes)


def _shares(progress: Progress) -> dict[str, float]:
    newest = progress.replies[-_NEWEST:]
    counts = Counter(reply.model for reply in newest)
    return {model.tier: counts[model.model_id] / len(newest) for model in MODELS}


def _running(progress: Progress) -> str:
    answered = list(zip(progress.plan.prompts, progress.replies, strict=False))
    quality = fmean(prompt.recorded[reply.model].quality for prompt, reply in answered)
    cost_usd = fmean(prompt.recorded[reply.model].cost_usd for prompt, reply in answered)
    return f"quality {quality:.3f}, {dollars(1000 * cost_usd)} per 1,000"
