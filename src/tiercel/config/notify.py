"""[[notify]]: where people are told of incidents. Addresses and secrets are named by their environment variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tiercel.domain.channel import Channel
from tiercel.domain.errors import InvalidInput, Problem

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
VARIABLES = ("url_env", "webhook_env", "secret_env")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings(Channel):
    """[[notify]]: a channel and the way to it.

    `url_env` names the variable that holds an address of apprise, or `webhook_env` and `secret_env` those that hold a
    webhook's address and the secret it is signed with. Raises `InvalidInput` with every problem at once.
    """

    url_env: str = ""
    webhook_env: str = ""
    secret_env: str = ""

    def __post_init__(self) -> None:
        problems = list(_variable_problems(self))
        try:
            # dataclasses with slots are made anew, so that super() without arguments does not know this class
            Channel.__post_init__(self)
        except InvalidInput as error:
            problems += error.problems
        if problems:
            raise InvalidInput(problems)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that it names, by the key that names each."""
        return {key: variable for key in VARIABLES if (variable := getattr(self, key))}


def _variable_problems(channel: NotifySettings) -> Iterator[Problem]:
    for key in VARIABLES:
        value = getattr(channel, key)
        if value != "" and not (isinstance(value, str) and _VARIABLE.fullmatch(value)):
            # what was found may be the secret itself
            yield Problem(key, "must be the name of an environment variable, never what it holds", "", "value")
    if bool(channel.url_env) == bool(channel.webhook_env):
        yield Problem("url_env", "either this is needed, or webhook_env with secret_env", "", "missing")
    elif bool(channel.webhook_env) != bool(channel.secret_env):
        yield Problem("secret_env", "goes with webhook_env: a webhook is signed, and nothing else is", "", "missing")
