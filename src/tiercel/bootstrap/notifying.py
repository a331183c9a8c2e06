"""The ways to the channels that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping

from tiercel.adapters.webhook import Webhook
from tiercel.config.environment import PROCESS, notify_values
from tiercel.config.settings import Settings
from tiercel.domain.errors import ConfigurationError, MissingDependency, Problem
from tiercel.ports import Notifier
from tiercel.services.alerting.notifying import Outlet


def build_outlets(settings: Settings, environment: Mapping[str, str] = PROCESS) -> list[Outlet]:
    """Every channel and the way to it.

    Raises `ConfigurationError` for what its variables hold, without showing it, and `MissingDependency`.
    """
    values = notify_values(settings, environment)
    outlets: list[Outlet] = []
    problems: list[Problem] = []
    for i, channel in enumerate(settings.notify):
        try:
            outlets.append(Outlet(channel, _notifier(values[channel.name])))
        except ValueError as error:
            where = "webhook_env" if channel.webhook_env else "url_env"
            held = "its variable, or that of secret_env," if channel.webhook_env else f"the variable {channel.url_env}"
            problems.append(Problem(f"notify[{i}].{where}", f"{held} {error}"))
    if problems:
        for outlet in outlets:
            outlet.notifier.close()
        raise ConfigurationError(problems)
    return outlets


def _notifier(values: Mapping[str, str]) -> Notifier:
    if "webhook_env" in values:
        return Webhook(values["webhook_env"], values["secret_env"])
    try:
        # an extra that takes longer to import than tiercel: only those who name such an address need it
        from tiercel.adapters.notify_apprise import AppriseNotifier  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "apprise":
            raise
        raise MissingDependency("apprise", "notify", "a [[notify]] with url_env") from error
    return AppriseNotifier(values["url_env"])
