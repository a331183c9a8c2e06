"""`tiercel config check` and `tiercel config show`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tiercel import bootstrap
from tiercel.apps.cli.output import JsonOption, figure, note, print_json, print_table, working
from tiercel.apps.cli.program import new_program
from tiercel.config.advice import advice
from tiercel.config.description import describe
from tiercel.domain.errors import ConfigurationError, Problem

program = new_program()

File = Annotated[Path, typer.Argument(metavar="FILE", help="The configuration, usually tiercel.toml.")]


@program.callback()
def config() -> None:
    """Check a configuration file, or show what it means."""


@program.command()
def check(file: File, *, as_json: JsonOption = False) -> None:
    """Say every problem of a configuration at once, and what is allowed but probably not meant."""
    try:
        with working(f"reading {file}"):
            settings = bootstrap.load_settings(file)
    except ConfigurationError as error:
        _print_check(file, error.problems, (), as_json=as_json)
        count = len(error.problems)
        note(f"{file} has {count} problem{'s' if count > 1 else ''}")
        raise typer.Exit(1) from None
    _print_check(file, (), advice(settings), as_json=as_json)
    if not as_json:
        counted = {"models": settings.models, "providers": settings.providers, "routes": settings.routes}
        typer.echo(f"{file} is sound; {', '.join(f'{name}: {len(held)}' for name, held in counted.items())}")


@program.command()
def show(file: File, *, as_json: JsonOption = False) -> None:
    """Show what a configuration means, defaults and prices included. Secrets are never shown."""
    with working(f"reading {file}"):
        settings, price_sources = bootstrap.load_priced(file)
    shown = describe(settings, price_sources=price_sources)
    if as_json:
        print_json(shown)
    else:
        _print_settings(shown)


def _print_check(file: Path, problems: Sequence[Problem], notes: Sequence[Problem], *, as_json: bool) -> None:
    if as_json:
        found = {"problems": [asdict(problem) for problem in problems], "advice": [asdict(a) for a in notes]}
        print_json({"file": str(file), "ok": not problems, **found})
        return
    for kind, listed in (("problem", problems), ("advice", notes)):
        for problem in listed:
            typer.echo(f"{kind}: {problem if problem.path else problem.message}")


def _print_settings(shown: dict[str, Any]) -> None:
    rows = [
        (section, key, _text(value))
        for section in ("store", "server", "feedback", "adaptive", "alerts")
        for key, value in shown[section].items()
    ]
    print_table(["section", "key", "value"], [*rows, ("", "tiers", " < ".join(shown["tiers"]))])
    keys = [(k["name"], k["role"], k["key_env"], "is set" if k["key_is_set"] else "is not set") for k in shown["keys"]]
    _print_section("keys", ["name", "role", "key_env", "the key"], keys)
    columns = ["id", "base_url", "api_key_env", "the key", "timeout_s"]
    _print_section("providers", columns, [_provider_row(provider) for provider in shown["providers"]])
    columns = ["id", "provider", "upstream", "tier", "context", "in $/Mtok", "out $/Mtok", "price from", "capabilities"]
    _print_section("models", columns, [_model_row(model) for model in shown["models"]])
    routes = [
        (route.pop("match"), route.pop("policy"), _text(route.pop("models")), _text(route)) for route in shown["routes"]
    ]
    _print_section("routes", ["match", "policy", "models", "settings"], routes)
    agents = [
        (a["agent_id"], a["status"], _text(a["required"]), _text(a["preferred"]), a["min_context_length"])
        for a in shown["agents"]
    ]
    rules = [(rule.pop("name"), rule.pop("metric"), _text(rule)) for rule in shown["rules"]]
    _print_section("rules", ["name", "metric", "settings"], rules)
    _print_section("notify", ["name", "settings"], [(one.pop("name"), _text(one)) for one in shown["notify"]])
    _print_section("agents", ["id", "status", "requires", "prefers", "context"], agents)


def _print_section(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    typer.echo(f"\n{title}: {'' if rows else 'none'}")
    if rows:
        print_table(columns, rows, numbers=("context", "in $/Mtok", "out $/Mtok", "timeout_s"))


def _provider_row(provider: dict[str, Any]) -> Sequence[object]:
    key = {None: "not needed", True: "is set", False: "is not set"}[provider["api_key_is_set"]]
    return provider["id"], provider["base_url"], provider["api_key_env"] or "-", key, f"{provider['timeout_s']:g}"


def _model_row(model: dict[str, Any]) -> Sequence[object]:
    price = model["price_usd_per_mtok"] or {}
    return (
        model["id"],
        model["provider"] or "-",
        model["upstream"],
        model["tier"],
        model["context_length"],
        figure(price.get("input"), "g"),
        figure(price.get("output"), "g"),
        model["price_source"] or "unknown",
        _text(model["capabilities"]),
    )


def _text(value: object) -> str:
    """A value in a cell: lists and tables in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(held)}" for key, held in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
