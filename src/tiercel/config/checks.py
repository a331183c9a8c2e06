"""What a value of the file must be, besides its type: the checks that sections share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from tiercel.config.problems import is_secret_key, one_of
from tiercel.config.urls import base_url_problem, store_url_problem
from tiercel.domain.errors import Problem
from tiercel.domain.names import name_problem

_HOUR_S = 3600
_SESSION_S = (60, 30 * 86_400)
_TEN_YEARS_S = 10 * 365 * 86_400
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JUDGE_OWN = ("model", "messages", "stream", "stream_options", "n")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MODES = ("target_quality", "budget_usd_per_request", "quality_weight", "cost_weight", "latency_weight")


@dataclass(slots=True)
class Vocabulary:
    """What fields may refer to, by kind; None where the file is too broken to tell. `seen` finds what is twice."""

    known: dict[str, Collection[str] | None]
    seen: set[tuple[str, str]] = field(default_factory=set)


def _fail(kind: str, message: str, found: str | None = None) -> PydanticCustomError:
    context: dict[str, Any] = {"message": message} if found is None else {"message": message, "found": found}
    return PydanticCustomError(kind, "{message}", context)


def _raise(problem: Problem | None) -> None:
    if problem is not None:
        raise _fail(problem.kind, problem.message, problem.found)


def _name(value: str) -> str:
    _raise(name_problem("", value))
    return value


def known(what: str) -> Callable[[str, ValidationInfo], str]:
    """One of those that the file defines, or that there are."""

    def check(value: str, info: ValidationInfo) -> str:
        names = info.context.known[what] if info.context else None
        if names is not None and value not in names:
            raise _fail("unknown", one_of(value, names, what))
        return value

    return check


def unique(what: str) -> Callable[[str, ValidationInfo], str]:
    """The only one of its kind with that name."""

    def check(value: str, info: ValidationInfo) -> str:
        if info.context:
            if (what, value) in info.context.seen:
                raise _fail("value", f"must be unique: another {what} has it already")
            info.context.seen.add((what, value))
        return value

    return check


def _store_url(value: str) -> str:
    _raise(store_url_problem("", value))
    return value


def _outbox(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value and value.isprintable()):
        return value
    raise _fail("value", "must be the path of a file, true (the default) or false (none)")


def _base_url(value: str) -> str:
    _raise(base_url_problem("", value))
    return value.rstrip("/")


def _retention(value: float) -> float:
    if not _HOUR_S <= value <= _TEN_YEARS_S:
        raise _fail("range", f"must be between {_HOUR_S} (an hour) and {_TEN_YEARS_S} (ten years), in seconds")
    return value


def _session_s(value: float) -> float:
    least, most = _SESSION_S
    if not least <= value <= most:
        raise _fail("range", f"must be between {least} (a minute) and {most} (30 days), in seconds")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise _fail("value", "must be a name or address as it stands in links, like tiercel.example.com or host:8443")
    return value.lower()


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        message = "must be the name of an environment variable, like OPENAI_API_KEY; never the key itself"
        raise _fail("value", message, "")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise _fail("value", "must be the name of an HTTP header, like authorization")
    return value


def _judge_options(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if name in _JUDGE_OWN or is_secret_key(name):
            raise _fail("value", f"must not hold {name!r}: tiercel says that itself", "")
    return value


def _glob(value: str) -> str:
    if not value or not value.isprintable():
        raise _fail("value", "must be a glob over workflow/stage, like code-review/*")
    rest = re.sub(r"\[!?\]?[^\]]*\]", "", value)
    if "[" in rest:
        raise _fail("value", "has a [ without its ]")
    if "/" not in value and not set(value) & set("*?["):
        raise _fail("value", f"can match no workflow/stage; did you mean {value + '/*'!r}?")
    return value


def _one_mode(value: float | None, info: ValidationInfo) -> float | None:
    """Target quality, budget and weights exclude one another; the weights go together."""
    given = [name for name in _MODES if info.data.get(name) is not None]
    clash = [name for name in given if not (name.endswith("_weight") and str(info.field_name).endswith("_weight"))]
    if value is not None and clash:
        raise _fail("value", f"excludes {clash[0]}: give a target quality, a budget or weights, not several of them")
    return value


def another_policy(value: str, info: ValidationInfo) -> str:
    """Another one than the route's `policy`."""
    if value == info.data.get("policy"):
        raise _fail("value", "must be another policy than the route's own, to which it hands over")
    return value


def _shares(value: list[float]) -> list[float]:
    rising = all(lower < higher for lower, higher in pairwise(value))
    if not (rising and value and 0.0 < value[0] < 1.0 == value[-1]):
        raise _fail("value", "must rise from above 0 to 1, like [0.05, 0.25, 1.0]")
    return value


Name = Annotated[str, AfterValidator(_name)]
Tier = Annotated[str, AfterValidator(known("tier"))]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Mode = AfterValidator(_one_mode)
StoreUrl = Annotated[str, AfterValidator(_store_url)]
Outbox = Annotated[bool | str, PlainValidator(_outbox)]
Retention = Annotated[float, AfterValidator(_retention)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Shares = Annotated[list[float], Field(max_length=20), AfterValidator(_shares)]
Variable = Annotated[str, AfterValidator(_variable)]
HostName = Annotated[str, AfterValidator(_host)]
SessionLength = Annotated[float, AfterValidator(_session_s)]
RoleName = Annotated[str, AfterValidator(known("role"))]
HeaderName = Annotated[str, AfterValidator(_header)]
JudgeOptions = Annotated[dict[str, Any], AfterValidator(_judge_options)]
Glob = Annotated[str, AfterValidator(_glob)]
