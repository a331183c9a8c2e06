"""docs/access.md: its configuration is sound, and what it says of roles, paths and limits is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiercel.apps.gateway.login_limit import FAILURES, WINDOW_S
from tiercel.apps.gateway.roles import ROLES
from tiercel.config.environment import MIN_KEY_LENGTH
from tiercel.config.file import parse
from tiercel.config.settings import ServerSettings
from tiercel.domain.access import Role

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text()


def test_the_configuration_names_a_key_for_each_role() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = parse(example, "docs/access.md", policies=())
    assert [key.role for key in settings.keys] == list(Role)


def test_the_roles_are_those_there_are() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
    assert rows == list(Role)


@pytest.mark.parametrize("path", ["/health", "/ready", "/session", "/metrics"])
def test_what_is_open_is_said_to_be(path: str) -> None:
    assert f"`{path}`" in PAGE or f"POST {path}`" in PAGE
    open_methods = [method for method, role in ROLES[path].items() if role is None]
    assert open_methods == {"/session": ["POST"], "/metrics": []}.get(path, ["GET"])


def test_the_figures_are_those_of_the_code() -> None:
    assert f"at least {MIN_KEY_LENGTH} characters" in PAGE
    assert (f"after {FAILURES} of them in a minute" in PAGE, WINDOW_S) == (True, 60)
    assert f"lasts {ServerSettings().session_s / 3600:g} hours" in PAGE.replace("\n", " ")
