"""`tiercel simulate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.apps.cli.choice import ConfigOption, found_config
from tiercel.apps.cli.goal import BudgetOption, TargetOption, WeightsOption, with_goal
from tiercel.apps.cli.output import JsonOption, figure, per_thousand, print_json, print_table
from tiercel.apps.cli.program import new_program
from tiercel.apps.cli.replays import DelayOption, JobsOption, SeedOption, replayed
from tiercel.apps.evaluation.simulation import (
    NOTE,
    SAMPLE,
    Job,
    Run,
    Simulation,
    drawn_models,
    outcomes_of,
    simulation_json,
)
from tiercel.config.settings import DEFAULT_POLICY, RouteSettings
from tiercel.core.replay.imagined import Assumptions, expected_strengths, imagine
from tiercel.domain.errors import InvalidInput, Problem

program = new_program()
_RATES = (1.0, 0.3, 0.1)
_FIRST = Assumptions()
_FIGURES = ("policy", "rated", "quality", "$ / 1,000", "over hull", "last half", "settled after", "ratings", "spent")


PolicyOption = Annotated[list[str] | None, typer.Option("--policy", metavar="NAME", help="Who decides; repeatable.")]
FeedbackRateOption = Annotated[
    list[float] | None,
    typer.Option(help="The share of answers that is rated; repeatable. Default: 1, 0.3, 0.1.", min=0, max=1),
]


@program.command()
def simulate(
    *,
    config: ConfigOption = None,
    requests: Annotated[int, typer.Option(help="How many requests.", min=1, max=100_000)] = _FIRST.requests,
    stages: Annotated[int, typer.Option(help="Of how many stages.", min=1, max=1_000)] = _FIRST.stages,
    policy: PolicyOption = None,
    target_quality: TargetOption = None,
    budget: BudgetOption = None,
    weights: WeightsOption = None,
    feedback_rate: FeedbackRateOption = None,
    delay: DelayOption = 0,
    uncertainty: Annotated[
        float, typer.Option(help="How far a model's quality may be from what its tier says.", min=0, max=0.5)
    ] = _FIRST.uncertainty,
    difficulty: Annotated[
        float, typer.Option(help="How much stages differ, for all models alike.", min=0, max=0.5)
    ] = _FIRST.difficulty,
    spread: Annotated[
        float, typer.Option(help="How much a model differs from stage to stage by itself.", min=0, max=0.5)
    ] = _FIRST.spread,
    repeats: Annotated[int, typer.Option(help="Worlds drawn from the assumptions.", min=1)] = 5,
    seed: SeedOption = 0,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What policies would do with a catalogue that nobody measured yet, under stated assumptions.

    The models are those of the configuration, else three of an ordinary catalogue.
    """
    found = found_config(config)
    simulation = Simulation(
        models=bootstrap.load_settings(found).models if found else SAMPLE,
        assumptions=Assumptions(
            requests=requests, stages=stages, uncertainty=uncertainty, difficulty=difficulty, spread=spread
        ),
        route=with_goal(RouteSettings(), target_quality=target_quality, budget=budget, weights=weights),
        policies=_policies(policy or [DEFAULT_POLICY]),
        feedback_rates=tuple(dict.fromkeys(feedback_rate or _RATES)),
        delay=delay,
        repeats=repeats,
        seed=seed,
    )
    # a catalogue that cannot be imagined is told of here, not by a process
    imagine(simulation.models, Assumptions(requests=1), 0)
    runs = replayed(simulation, simulation.jobs(), jobs, called="worlds")
    if as_json:
        print_json(simulation_json(simulation, runs))
    else:
        _print(simulation, runs)


def _policies(names: list[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in bootstrap.POLICIES]
    if unknown:
        said = f"must be one of {', '.join(bootstrap.POLICIES)}"
        raise InvalidInput([Problem("--policy", said, repr(name), "unknown") for name in unknown])
    return tuple(dict.fromkeys(names))


def _print(simulation: Simulation, runs: Mapping[Job, Run]) -> None:
    typer.echo(f"{NOTE}\n")
    _print_assumptions(simulation, runs)
    typer.echo("")
    _print_outcomes(simulation, runs)


def _print_assumptions(simulation: Simulation, runs: Mapping[Job, Run]) -> None:
    own = simulation.assumptions
    typer.echo(
        f"Assumed: {own.requests:,} requests of {own.stages} stages; a model's quality is what its tier and\n"
        f"capabilities say +- {own.uncertainty:g}, a stage's difficulty +- {own.difficulty:g}, a model's own\n"
        f"aptitude for a stage +- {own.spread:g}; {simulation.repeats} worlds drawn with seed {simulation.seed}.\n"
    )
    expected = {model.model_id: strength for model, strength in expected_strengths(simulation.models)}
    rows = [
        (
            model,
            f"{expected[model]:.2f}",
            f"{drawn['quality']:.3f}",
            f"{drawn['lowest']:.3f}..{drawn['highest']:.3f}",
            per_thousand(drawn["cost_usd"]),
        )
        for model, drawn in drawn_models(simulation, runs).items()
    ]
    heads = ("model", "expected", "drawn", "between", "$ / 1,000")
    print_table(heads, rows, numbers=heads[1:])


def _print_outcomes(simulation: Simulation, runs: Mapping[Job, Run]) -> None:
    models = [model.model_id for model in simulation.models]
    table: list[Sequence[str]] = []
    for outcome in outcomes_of(simulation, runs):
        result = outcome.result
        table.append(
            (
                outcome.policy,
                f"{outcome.feedback_rate:.0%}",
                f"{result.quality:.4f}",
                per_thousand(result.cost_usd),
                figure(result.gain_over_hull, "+.4f"),
                figure(result.gain_over_hull_last_half, "+.4f"),
                figure(outcome.requests_to_settle, ",.0f"),
                figure(outcome.ratings_to_settle, ",.0f"),
                figure(result.spend_over_budget, ".1%"),
                *(f"{result.share[model]:.0%}" for model in models),
            )
        )
    print_table((*_FIGURES, *models), table, numbers=(*_FIGURES[1:], *models))
