"""`tiercel evaluate`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tiercel.apps.cli.evaluation_tables import print_evaluation
from tiercel.apps.cli.goal import BudgetOption, TargetOption, WeightsOption, with_goal
from tiercel.apps.cli.output import note, print_json
from tiercel.apps.cli.program import new_program
from tiercel.apps.cli.replays import DelayOption, JobsOption, SeedOption, replayed
from tiercel.apps.evaluation.plot import check_plot, svg_of
from tiercel.apps.evaluation.result import Evaluation, evaluation_of
from tiercel.apps.evaluation.study import ALL, EvaluationSettings, Mode, Study, study_of
from tiercel.config.settings import DEFAULT_POLICY, RouteSettings
from tiercel.domain.errors import InvalidInput, Problem, TiercelError

program = new_program()

_STDOUT = Path("-")


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
JudgedOption = Annotated[
    bool, typer.Option("--judged", help="The policy knows beforehand which answers will be rated.")
]
JsonFileOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result there as JSON; - for stdout.")
]


@program.command()
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="OUTCOMES", help="A .parquet, .csv or .jsonl file, or an export.")],
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
    delay: DelayOption = 0,
    judged: JudgedOption = False,
    scenario: Annotated[ScenarioName, typer.Option(help="What changes meanwhile.")] = ScenarioName.NONE,
    repeats: Annotated[int, typer.Option(help="Replays, each in its own order.", min=1)] = 20,
    seed: SeedOption = 0,
    frontier: Annotated[int, typer.Option(metavar="N", help="Try N budgets besides.", min=0)] = 0,
    incumbent: Annotated[str, typer.Option(metavar="MODEL", help="The model that serves today.")] = "",
    jobs: JobsOption = 0,
    json_file: JsonFileOption = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw quality against cost.")] = None,
) -> None:
    """Replay policies over a table of every model's outcomes, and compare with the best fixed mixes.

    The policy decides, sees what its own choice did and some of the ratings, and learns.
    """
    settings = EvaluationSettings(
        file=file,
        policies=tuple(policy or [DEFAULT_POLICY]),
        mode=Mode.of(with_goal(RouteSettings(), target_quality=target_quality, budget=budget, weights=weights)),
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
    _check_folders(json=json_file, plot=plot)
    study = study_of(settings)
    if plot is not None:
        check_plot(study)
    _report(_evaluated(study, jobs), json_file, plot)


def _evaluated(study: Study, processes: int) -> Evaluation:
    todo = study.jobs()
    if study.table.incomplete:
        note(f"{study.table.incomplete} queries left out: they lack an outcome of one of the models")
    return evaluation_of(study, replayed(study, todo, processes, called="replays"))


def _report(evaluation: Evaluation, json_file: Path | None, plot: Path | None) -> None:
    """The result where it is wanted: on stdout and in files."""
    if json_file == _STDOUT:
        print_json(evaluation.json())
    else:
        print_evaluation(evaluation)
        if json_file is not None:
            _write(json_file, json.dumps(evaluation.json(), indent=2, allow_nan=False) + "\n")
    if plot is not None:
        _write(plot, svg_of(evaluation))


def _check_folders(**files: Path | None) -> None:
    """Minutes of work are not to end at a folder that is not there. Raises `InvalidInput`."""
    for name, file in files.items():
        if file is not None and file != _STDOUT and not file.absolute().parent.is_dir():
            raise InvalidInput([Problem(name, "the folder of the file does not exist", str(file.parent))])


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TiercelError(f"{file} cannot be written: {error.strerror}") from error
