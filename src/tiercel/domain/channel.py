"""A channel on which people are told of incidents: of which, how often, and in what words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from string import Formatter

from tiercel.domain.alerts import Alert, AlertType, Severity
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.names import name_problem

FIELDS = (
    "occasion",
    "severity",
    "type",
    "message",
    "rule",
    "model",
    "workflow",
    "stage",
    "agent",
    "value",
    "threshold",
    "since",
    "lasted",
    "alert_id",
)
"""What may stand in braces in a template."""
TITLE = "tiercel {occasion}: {severity} {type}"
BODY = "{message}\n{occasion}, since {since} ({alert_id})"
MAX_TEMPLATE = 4_000
MAX_DIGEST_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """[[notify]]: what is told there.

    Incidents of at least `min_severity`, whose type is among `types` or whose rule is among `rules` (globs), or all
    where neither is given. `resolve` says whether their end is told as well. At most one message goes out every
    `digest_s` seconds; what comes in between is told together, and so are more than `digest_over` at once. `title` and
    `template` are text with the names of `FIELDS` in braces.
    Raises `InvalidInput` with every problem at once.
    """

    name: str
    min_severity: str = Severity.WARNING.value
    types: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    resolve: bool = True
    digest_s: float = 0.0
    digest_over: int = 5
    title: str = TITLE
    template: str = BODY

    def __post_init__(self) -> None:
        problems = [*_filter_problems(self), *_digest_problems(self)]
        for path in ("title", "template"):
            problems += _template_problems(path, getattr(self, path))
        if problems:
            raise InvalidInput(problems)

    def wants(self, alert: Alert) -> bool:
        """Whether such an incident is told there."""
        if alert.severity.rank < Severity(self.min_severity).rank:
            return False
        of_rule = bool(alert.rule) and any(fnmatchcase(alert.rule, glob) for glob in self.rules)
        return of_rule or alert.alert_type in self.types or not (self.types or self.rules)


def _filter_problems(channel: Channel) -> Iterator[Problem]:
    wrong = name_problem("name", channel.name)
    if wrong is not None:
        yield wrong
    if not isinstance(channel.min_severity, str) or channel.min_severity not in frozenset(Severity):
        found = repr(channel.min_severity)[:80]
        yield Problem("min_severity", f"must be one of {', '.join(Severity)}", found, "unknown")
    for path in ("types", "rules"):
        if not isinstance(getattr(channel, path), tuple):
            yield Problem(path, "must be a list of names", repr(getattr(channel, path))[:80], "type")
            return
    for i, alert_type in enumerate(channel.types):
        if not isinstance(alert_type, str) or alert_type not in frozenset(AlertType):
            message = f"must be one of {', '.join(AlertType)}"
            yield Problem(f"types[{i}]", message, repr(alert_type)[:80], "unknown")
    for i, glob in enumerate(channel.rules):
        wrong = name_problem(f"rules[{i}]", glob)
        if wrong is not None:
            yield wrong
    resolve: object = channel.resolve
    if not isinstance(resolve, bool):
        yield Problem("resolve", "must be true or false", repr(resolve)[:80], "type")


def _digest_problems(channel: Channel) -> Iterator[Problem]:
    for name, least, most in (("digest_s", 0.0, MAX_DIGEST_S), ("digest_over", 1, math.inf)):
        value = getattr(channel, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield Problem(name, "must be a number", repr(value)[:80], "type")
        elif not least <= value <= most or not math.isfinite(value):
            wanted = f"must be at least {least:g}" + ("" if math.isinf(most) else f" and at most {most:g}")
            yield Problem(name, wanted, f"{value:g}", "range")


def _template_problems(path: str, text: object) -> Iterator[Problem]:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEMPLATE:
        yield Problem(path, f"must be text of 1..{MAX_TEMPLATE} characters", repr(text)[:80], "range")
        return
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        yield Problem(path, f"cannot be read: {error}; a brace of its own is written twice", repr(text)[:80])
        return
    for _, field, form, conversion in parsed:
        if field is not None and (field not in FIELDS or form or conversion):
            message = f"must hold nothing in braces but one of {', '.join(FIELDS)}"
            yield Problem(path, message, repr(f"{{{field}}}")[:80], "unknown")
