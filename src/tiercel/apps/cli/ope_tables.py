"""The result of `tiercel ope`, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from tiercel.apps.cli.output import figure, print_table
from tiercel.core.estimators.intervals import Estimate
from tiercel.core.estimators.overlap import Overlap
from tiercel.core.estimators.valuation import Estimates, Valuation
from tiercel.services.valuing.off_policy import OffPolicyReport

_VALUES = ("quality", "95 %", "- logged", "its 95 %", "$ / 1,000", "its 95 % ", "- logged ", "its 95 %  ")
_CHECKS = ("quality DR", "SNIPS", "IPS", "SWITCH-DR")
_GATE = ("rows worth", "mean weight", "largest share", "without support")
_PER_THOUSAND = 1000.0
_JUDGED = (
    "Ratings follow a coin that tiercel threw, and each counts for 1 / its rate requests. What stands for the logged "
    "policy is how it did on judged requests; where exploring is coupled to judging it explores less on the others."
)
_AT_RANDOM = (
    "No coin of tiercel's said which answers were rated: ratings are taken to be missing at random, given what the "
    "decision knew."
)


def report_json(report: OffPolicyReport) -> dict[str, Any]:
    """Everything, machine-readable; costs are USD per request."""
    return {
        "decisions": asdict(report.census),
        "learned_from": report.learned,
        "rows": report.rows,
        "since": report.since.isoformat() if report.since else None,
        "until": report.until.isoformat() if report.until else None,
        "rows_without_features": report.without_vector,
        "assumptions": _assumptions(report),
        "logged": {
            "policies": list(report.logged_policies),
            "quality": _estimate_json(report.logged.quality),
            "cost_usd": _estimate_json(report.logged.cost_usd),
        },
        "policies": {name: _valuation_json(valuation) for name, valuation in report.valuations.items()},
    }


def print_report(report: OffPolicyReport) -> None:
    """Tables on stdout."""
    census = report.census
    typer.echo(
        f"{census.decisions:,} decisions, {census.rated:,} of use: rated"
        + (f", {census.judged:,} of them judged by a coin's fall" if census.judged else "")
        + f" (not rated {census.unrated:,}, asked for by name {census.requested:,}, passed over by the judge "
        f"{census.passed_over:,}, without a probability {census.impossible:,})"
    )
    if report.since and report.until:
        learned = f"learned from the first {report.learned:,} decisions" if report.learned else "nothing was learned"
        typer.echo(
            f"{learned}; valued on {report.rows:,} rated ones, "
            f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC, decided by "
            f"{', '.join(report.logged_policies)}"
        )
    for sentence in _assumptions(report):
        typer.echo(sentence)
    typer.echo("")
    logged = ("as logged", *_span(report.logged.quality, ".4f"), "", "", *_cost(report.logged.cost_usd), "", "")
    print_table(
        ("policy", *_VALUES),
        [logged, *((name, *_cells(valuation)) for name, valuation in report.valuations.items())],
        numbers=_VALUES,
    )
    typer.echo("")
    checks = [(name, *_check_cells(valuation)) for name, valuation in report.valuations.items()]
    print_table(("does it hang together?", *_CHECKS, *_GATE), checks, numbers=(*_CHECKS, *_GATE))
    for name, valuation in report.valuations.items():
        if not valuation.overlap.enough:
            _print_refusal(name, valuation.overlap)


def _print_refusal(name: str, overlap: Overlap) -> None:
    advised = f"not enough overlap: {overlap.advice}" if overlap.advice else "the log cannot be trusted for this"
    typer.echo(f"\n{name}: refused: {advised}")
    for reason in overlap.reasons:
        typer.echo(f"  {reason}")


def _assumptions(report: OffPolicyReport) -> list[str]:
    said = []
    if report.census.judged:
        said.append(_JUDGED)
    if report.census.judged < report.census.rated:
        said.append(_AT_RANDOM)
    if report.blind:
        said.append(
            f"{report.without_vector:,} of the {report.rows:,} rows were logged without the prompt's figures, and the "
            f"prompt itself never is: {', '.join(report.blind)} had to do without them there."
        )
    return said


def _cells(valuation: Valuation) -> Sequence[str]:
    quality, cost = valuation.quality, valuation.cost_usd
    if quality is None:
        return ("refused", *("" for _ in _VALUES[1:]))
    cells = [*_span(quality.dr, ".4f"), *_span(quality.difference, "+.4f")]
    return (*cells, *_cost(cost.dr if cost else None), *_cost(cost.difference if cost else None, sign="+"))


def _check_cells(valuation: Valuation) -> Sequence[str]:
    quality, overlap = valuation.quality, valuation.overlap
    every = (quality.dr, quality.snips, quality.ips, quality.switch_dr) if quality else (None,) * len(_CHECKS)
    return (
        *(figure(estimate.value if estimate else None, ".4f") for estimate in every),
        f"{overlap.effective_rows:,.0f} of {overlap.rows:,}",
        f"{overlap.mean_weight:.3f} +- {overlap.mean_weight_error:.3f}",
        f"{overlap.largest_share:.1%}",
        f"{overlap.unsupported:.1%}",
    )


def _span(estimate: Estimate | None, form: str, times: float = 1.0) -> tuple[str, str]:
    if estimate is None:
        return figure(None, form), ""
    return f"{times * estimate.value:{form}}", f"{times * estimate.low:{form}} .. {times * estimate.high:{form}}"


def _cost(estimate: Estimate | None, sign: str = "") -> tuple[str, str]:
    return _span(estimate, f"{sign},.4f", _PER_THOUSAND)


def _valuation_json(valuation: Valuation) -> dict[str, Any]:
    overlap = valuation.overlap
    return {
        "verdict": "estimated" if overlap.enough else "refused",
        "reasons": list(overlap.reasons),
        "advice": None if overlap.advice is None else {**asdict(overlap.advice), "text": str(overlap.advice)},
        "diagnostics": {
            "rows": overlap.rows,
            "rows_with_cost": valuation.costed,
            "effective_sample_size": overlap.effective_rows,
            "mean_weight": overlap.mean_weight,
            "mean_weight_se": overlap.mean_weight_error,
            "largest_weight_share": overlap.largest_share,
            "mass_without_support": overlap.unsupported,
            "models_without_support": list(overlap.unsupported_models),
        },
        "quality": _estimates_json(valuation.quality),
        "cost_usd": _estimates_json(valuation.cost_usd),
    }


def _estimates_json(estimates: Estimates | None) -> dict[str, Any] | None:
    if estimates is None:
        return None
    return {
        "dr": _estimate_json(estimates.dr),
        "snips": _estimate_json(estimates.snips),
        "ips": _estimate_json(estimates.ips),
        "difference": _estimate_json(estimates.difference),
        "sensitivity": {"switch_dr": _estimate_json(estimates.switch_dr)},
    }


def _estimate_json(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "ci": [estimate.low, estimate.high], "se": estimate.standard_error}
