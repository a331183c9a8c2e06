"""`tiercel evaluate`."""

from __future__ import annotations

import json
import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tiercel.apps.cli.evaluation_tables import print_evaluation
from tiercel.apps.cli.output import console, note, print_json
from tiercel.apps.cli.program import new_program
from tiercel.apps.evaluation.plot import check_plot, svg_of
from tiercel.apps.evaluation.pool import run_jobs, usable_cores
from tiercel.apps.evaluation.result import Evaluation, evaluation_of
from tiercel.apps.evaluation.study import ALL, EvaluationSettings, Mode, Study, study_of
from tiercel.config.settings import DEFAULT_POLICY
from tiercel.domain.errors import InvalidInput, Problem, TiercelError

program = new_program()

_WEIGHTS = {"q": "quality_weight", "c": "cost_weight", "l": "latency_weight"}


class Segmentation(StrEnum):
    """What the policy may know of a request's kind."""

    TASK = "task"
    NONE = "none"


class ScenarioName(StrEnum):
    """What changes while the requests come: see core/replay/world.py."""

    NONE = "none"
    DEGRADE = "degrade"
    RECOVER = "recover"
    PRICE = "price"
    ARRIVE = "arrive"


PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", "--policies", metavar="NAME", help=f"Who decides; repeatable; {ALL}: every policy."),
]
TargetOption = Annotated[
    float | None, typer.Option("--target-quality", metavar="Q", help="Least cost at this mean quality.", min=0, max=1)
]
BudgetOption = Annotated[
    float | None, typer.Option("--budget", metavar="USD", help="Best quality at this mean cost per request.")
]
WeightsOption = Annotated[
    str | None, typer.Option("--weights", metavar="q=1,c=..,l=..", help="Weights of quality, cost and latency.")
]


@program.command()
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="OUTCOMES", help="A .parquet, .csv or .jsonl file.")],
    *,
    policy: PolicyOption = None,
    target_quality: TargetOption = None,
    budget: BudgetOption = None,
    weights: WeightsOption = None,
    models: Annotated[str, typer.Option(metavar="A,B,C", help="Among these models. Default: all.")] = "",
    split: Annotated[str, typer.Option(metavar="SPLIT", help="On these queries. Default: all.")] = "",
    warm_start: Annotated[str, typer.Option(metavar="SPLIT", help="Learn from these queries first.")] = "",
    segment: Annotated[Segmentation, typer.Option(help="May the policy see the task?")] = Segmentation.TASK,
    feedback_rate: Annotated[float, typer.Option(help="The share of answers that is rated.", min=0, max=1)] = 1.0,
    delay: Annotated[int, typer.Option(help="Ratings come so many requests late.", min=0)] = 0,
    judged: Annotated[
        bool, typer.Option("--judged", help="The policy knows beforehand which answers will be rated.")
    ] = False,
    scenario: Annotated[ScenarioName, typer.Option(help="What changes meanwhile.")] = ScenarioName.NONE,
    repeats: Annotated[int, typer.Option(help="Replays, each in its own order.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal results.")] = 0,
    frontier: Annotated[int, typer.Option(metavar="N", help="Try N budgets besides.", min=0)] = 0,
    incumbent: Annotated[str, typer.Option(metavar="MODEL", help="The model that serves today.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes. Default: one per processor core.", min=0)] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result there as JSON; - for stdout.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw quality against cost.")] = None,
) -> None:
    """Replay policies over a table of every model's outcomes, and compare with the best fixed mixes.

    The policy decides, sees what its own choice did and some of the ratings, and learns.
    """
    settings = EvaluationSettings(
        file=file,
        policies=tuple(policy or [DEFAULT_POLICY]),
        mode=_mode(target_quality, budget, weights),
        split=split,
        warm_start=warm_start,
        models=tuple(name.strip() for name in models.split(",") if name.strip()),
        segment=segment.value,
        feedback_rate=feedback_rate,
        delay=delay,
        judged=judged,
        scenario=scenario.value,
        repeats=repeats,
        seed=seed,
        frontier=frontier,
        incumbent=incumbent,
    )
    _writable("json", json_file)
    _writable("plot", plot)
    study = study_of(settings)
    if plot is not None:
        check_plot(study)
    evaluation = _evaluated(study, jobs or usable_cores())
    if json_file == Path("-"):
        print_json(evaluation.json())
    else:
        print_evaluation(evaluation)
        if json_file is not None:
            _write(json_file, json.dumps(evaluation.json(), indent=2, allow_nan=False) + "\n")
    if plot is not None:
        _write(plot, svg_of(evaluation))


def _evaluated(study: Study, workers: int) -> Evaluation:
    """The result, with the progress on stderr."""
    todo = study.jobs()
    if study.table.incomplete:
        note(f"{study.table.incomplete} queries left out: they lack an outcome of one of the models")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
        bar = progress.add_task("replays", total=len(todo))
        runs = {}
        for job, figures in run_jobs(study, todo, workers):
            runs[job] = figures
            progress.advance(bar)
    return evaluation_of(study, runs)


def _mode(target_quality: float | None, budget: float | None, weights: str | None) -> Mode:
    given = [name for name, value in (("--target-quality", target_quality), ("--budget", budget)) if value is not None]
    given += ["--weights"] if weights is not None else []
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)} exclude each other: give one of them")
    if budget is not None and not (math.isfinite(budget) and budget > 0):
        raise InvalidInput([Problem("budget", "must be above 0 USD per request", repr(budget), "range")])
    return Mode(target_quality=target_quality, budget_usd=budget, **_weights(weights))


def _weights(text: str | None) -> dict[str, float]:
    """What "q=1,c=0.5" says, by the settings' names."""
    weights: dict[str, float] = {}
    for part in text.split(",") if text is not None else ():
        name, _, value = part.strip().partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if name not in _WEIGHTS or _WEIGHTS[name] in weights or not 0 <= number < math.inf:
            said = "must be like q=1,c=0.5,l=0, each at most once and 0 or more"
            raise InvalidInput([Problem("weights", said, repr(text))])
        weights[_WEIGHTS[name]] = number
    return weights


def _writable(name: str, file: Path | None) -> None:
    """Minutes of work are not to end at a folder that is not there."""
    if file is not None and file != Path("-") and not file.absolute().parent.is_dir():
        raise InvalidInput([Problem(name, "the folder of the file does not exist", str(file.parent))])


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TiercelError(f"{file} cannot be written: {error.strerror}") from error
