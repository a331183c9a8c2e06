"""`tiercel ope`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.adapters.parquet_log import read_events
from tiercel.apps.cli.choice import ConfigOption, found_config, store_that_lasts
from tiercel.apps.cli.goal import BudgetOption, TargetOption, WeightsOption, with_goal
from tiercel.apps.cli.ope_tables import print_report, report_json
from tiercel.apps.cli.output import JsonOption, note, print_json, working
from tiercel.apps.cli.program import new_program
from tiercel.config.settings import AT_ONCE, RouteSettings, Settings
from tiercel.config.urls import store_url_problem, without_password
from tiercel.core.policies.base import Policy
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.random import RandomPolicy
from tiercel.domain.catalogue import Catalogue, ModelProfile
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.request import Segment
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.valuing.logged_history import History, history_of, models_of, read_history
from tiercel.services.valuing.off_policy import DEFAULT_TRAIN_SHARE, off_policy_report

program = new_program()

_LEARN_NOTHING = frozenset({FixedPolicy.name, RandomPolicy.name})


PolicyOption = Annotated[
    list[str], typer.Option("--policy", metavar="NAME", help="What to value; repeatable. fixed:MODEL names a model.")
]
TrainShareOption = Annotated[
    float | None,
    typer.Option(
        help="The first part of the log, from which the policies learn before they are frozen. "
        f"Default: {DEFAULT_TRAIN_SHARE:g}; 0 where none of them learns.",
        min=0,
        max=0.99,
    ),
]


@program.command()
def ope(
    log: Annotated[
        str,
        typer.Argument(
            metavar="LOG", help="A store's address, the file of a SQLite store, or the folder of an export."
        ),
    ],
    *,
    policy: PolicyOption,
    config: ConfigOption = None,
    route: Annotated[str, typer.Option(metavar="NAME", help="Only this route's requests, and its settings.")] = "",
    target_quality: TargetOption = None,
    budget: BudgetOption = None,
    weights: WeightsOption = None,
    train_share: TrainShareOption = None,
    as_json: JsonOption = False,
) -> None:
    """What another policy would have achieved, estimated from logged and rated decisions.

    A policy that learns is frozen before it is valued. Exit code 1 where the log does not support an answer for every
    policy; the reasons say why, and about how many more judged requests would do.
    """
    source, read = _log(log)
    found = found_config(config)
    settings = bootstrap.load_settings(found) if found else Settings()
    wanted, concerns = _route(route, settings)
    wanted = with_goal(wanted, target_quality=target_quality, budget=budget, weights=weights)
    with working(f"reading {source}"):
        history = read()
    models = models_of(history, settings.models)
    policies = _policies(policy, wanted, replace(settings, models=models), models)
    if train_share is None:
        learning = any(built.name not in _LEARN_NOTHING for built in policies.values())
        train_share = DEFAULT_TRAIN_SHARE if learning else 0.0
    with working("valuing"):
        report = off_policy_report(
            history,
            policies,
            models,
            train_share=train_share,
            allowed=wanted.models,
            agents={agent.agent_id: agent for agent in settings.agents},
            concerns=concerns,
        )
    if as_json:
        print_json({"log": source, "route": route or None, **report_json(report)})
    else:
        print_report(report)
    refused = [name for name, valuation in report.valuations.items() if not valuation.overlap.enough]
    if refused:
        note(f"the log does not support an estimate for {', '.join(refused)}")
        raise typer.Exit(1)


def _log(log: str) -> tuple[str, Callable[[], History]]:
    """What `log` is called, and how it is read. It is there: reading must not make a store."""
    folder = Path(log)
    if "://" not in log and folder.is_dir():
        return log, lambda: history_of(read_events(folder))
    url = log if "://" in log else f"sqlite:///{log}"
    problem = store_url_problem("LOG", url)
    if problem is not None:
        raise InvalidInput([problem])
    return without_password(url), lambda: _history_at(store_that_lasts("LOG", url))


def _history_at(url: str) -> History:
    with closing(bootstrap.open_store(url)) as store:
        return read_history(store)


def _route(name: str, settings: Settings) -> tuple[RouteSettings, Callable[[Segment], bool]]:
    """The settings of the route of that name, and which segments it decides for; without a name, all of them."""
    if not name:
        return RouteSettings(), lambda _: True
    named = next((route for route in settings.routes if route.name == name), None)
    if named is None:
        known = ", ".join(route.name for route in settings.routes if route.name) or "none: name the routes in --config"
        raise InvalidInput(
            [Problem("--route", f"must be one of the configured routes ({known})", repr(name), "unknown")]
        )
    stand_in = FixedPolicy()
    routes = [Route(policy=stand_in, match=route.match, models=route.models) for route in settings.routes]
    table = RoutingTable(Catalogue(settings.models, settings.tiers), routes, Route(policy=stand_in))
    place = settings.routes.index(named)
    return named, lambda segment: table.plan_of(segment) is table.plans[place]


def _policies(
    names: Sequence[str], route: RouteSettings, settings: Settings, models: Sequence[ModelProfile]
) -> Mapping[str, Policy]:
    """A fresh policy for each name, once each; without the gate its changes would go through."""
    ungated = replace(route, changes=AT_ONCE, from_policy="")
    built: dict[str, Policy] = {}
    for given in names:
        name, _, model = given.partition(":")
        if model and name != FixedPolicy.name:
            raise InvalidInput([Problem("--policy", f"only {FixedPolicy.name} names a model", repr(given))])
        if model and all(model != profile.model_id for profile in models):
            known = ", ".join(profile.model_id for profile in models)
            raise InvalidInput([Problem("--policy", f"must name a model of the log ({known})", repr(model), "unknown")])
        built[given] = bootstrap.build_policy(replace(ungated, policy=name, model=model or route.model), settings)
    return built
