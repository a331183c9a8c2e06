"""Bodies and query parameters of tiercel's own calls: exact types, no unknown fields, every problem with its path."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.requests import Request

from tiercel.apps.gateway.body import check_head, header, parse_json, read_body
from tiercel.apps.gateway.context import read_names
from tiercel.apps.gateway.errors import invalid
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.problems import did_you_mean, dotted, expectation, one_of, shown
from tiercel.domain.errors import Problem
from tiercel.domain.names import name_problem
from tiercel.services.rating.intake import metadata_problems

M = TypeVar("M", bound=BaseModel)

_OBJECT_ERRORS = ("model_type", "model_attributes_type", "dict_type")


class Body(BaseModel):
    """A JSON object: exact types, nothing unknown, nothing infinite."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Query(BaseModel):
    """The parameters of a query string: text that has to mean what is expected."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def fail(problem: Problem) -> PydanticCustomError:
    """A problem as pydantic wants it raised; where it is, pydantic knows."""
    return PydanticCustomError(problem.kind, "{message}", {"message": problem.message, "found": problem.found})


def _name(value: str) -> str:
    problem = name_problem("", value)
    if problem:
        raise fail(problem)
    return value


def _names(value: object) -> list[str]:
    names, problems = read_names("", value)
    if problems:
        raise fail(problems[0])
    return list(names)


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    for problem in metadata_problems(value):
        raise fail(problem)
    return value


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None:
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise fail(Problem("", "must be a time in ISO 8601, like 2026-01-31T12:00:00Z", shown(value), "type"))


def _whole(value: object) -> object:
    # pydantic would also take "1_0", " 1" and "1.0"
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise fail(Problem("", "must be a whole number", shown(value), "type"))
    return value


Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[list[str], BeforeValidator(_names)]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Time = Annotated[datetime, BeforeValidator(_time)]
Limit = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1000)]
Page = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=10**9)]


def check_one_of(value: str, allowed: Collection[str], what: str) -> str:
    """`value`, if it is among `allowed`; else the problem a validator raises, with the allowed values."""
    if value not in allowed:
        raise fail(Problem("", one_of(value, allowed, what), shown(value), "unknown"))
    return value


async def read_json(request: Request, state: GatewayState) -> Any:  # noqa: ANN401 - JSON is anything
    """The request's body, decoded. Raises 415, 413, 408, 400."""
    limit = state.settings.server.max_body_bytes
    check_head(request.scope, limit)
    return parse_json(await read_body(request.receive, limit))


async def read_json_if_any(request: Request, state: GatewayState) -> Any:  # noqa: ANN401
    """The same; an empty object where the request has no body."""
    empty = header(request.scope, b"content-length") in ("", "0") and not header(request.scope, b"transfer-encoding")
    return {} if empty else await read_json(request, state)


def problems_of(model: type[BaseModel], value: object) -> tuple[BaseModel | None, list[Problem]]:
    """`value` as a `model`, or what is wrong with it."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        return None, [_problem(model, details) for details in error.errors(include_url=False)]


def validated(model: type[M], value: object) -> M:
    """`value` as a `model`. Raises 422 with every problem, or 413 for what exceeds a limit on size."""
    read, problems = problems_of(model, value)
    if not isinstance(read, model):
        raise invalid(problems)
    return read


def read_query(request: Request, model: type[M]) -> M:
    """The query parameters as a `model`. Raises 422 with every problem."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise invalid([Problem(name, "must be given once", shown(value), "value")])
        given[name] = value
    return validated(model, given)


def under(prefix: str, problems: Sequence[Problem]) -> list[Problem]:
    """The same problems, in the part of a body at `prefix` ("[3]", or "" for all of it)."""
    if not prefix:
        return list(problems)
    return [replace(p, path=f"{prefix}.{p.path}" if p.path else prefix) for p in problems]


def _problem(model: type[BaseModel], details: ErrorDetails) -> Problem:
    location, kind, value = details["loc"], details["type"], details["input"]
    context: Mapping[str, Any] = details.get("ctx", {})
    path = dotted(location)
    if kind == "missing":
        return Problem(path, "is required", "", "missing")
    if kind == "extra_forbidden":
        known = list(model.model_fields)
        hint = did_you_mean(str(location[-1]), known) or f"; known here: {', '.join(known) or 'nothing'}"
        return Problem(path, f"is no field of this call{hint}", _found(value), "unknown")
    if kind in _OBJECT_ERRORS:
        return Problem(path, "must be a JSON object", _found(value), "type")
    worded = expectation(kind, context) or (kind, details["msg"])
    return Problem(path, worded[1], context.get("found", _found(value)), worded[0])


def _found(value: object) -> str:
    return "null" if value is None else shown(value)
