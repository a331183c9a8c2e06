"""docs/agents.md: its program prints what it says, its calls are taken, and its figures are those of the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from support.in_process import client, gateway_settings, gateway_state
from tiercel.bootstrap import POLICIES
from tiercel.config.file import load
from tiercel.domain.catalogue import Agent
from tiercel.domain.presence import BEAT_S, BEAT_TTL_S, BeatStatus

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_program_prints_what_the_page_says(tmp_path: Path) -> None:
    (program,), (printed,) = blocks("python"), blocks("text")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout == printed


def test_the_configuration_is_one(tmp_path: Path) -> None:
    (section,) = blocks("toml")
    file = tmp_path / "tiercel.toml"
    file.write_text(section)
    (agent,) = load(file, policies=POLICIES).agents
    assert agent.agent_id == tomllib.loads(section)["agents"][0]["id"]


def test_the_calls_are_taken() -> None:
    agents = [Agent(agent_id=name) for name in ("agent_gpu_1", "agent_cpu_1")]
    with client(gateway_state(settings=gateway_settings(agents=agents))) as http:
        posted = re.findall(r"localhost:8080(\S+) .*?-d '(.*?)'", "".join(blocks("sh")), re.DOTALL)
        for path, body in posted:
            assert http.post(path, json=json.loads(body)).status_code == 202, path
        (path,) = re.findall(r"'localhost:8080(\S+)'", "".join(blocks("sh")))
        assert [told["name"] for told in http.get(path).json()["data"]] == ["batch done"]
    assert len(posted) == 2


def test_the_figures_are_those_of_the_code() -> None:
    assert f"every {BEAT_S:g} seconds that it is alive, and is believed for {BEAT_TTL_S:g}" in PAGE
    assert all(f"`{status}`" in PAGE for status in BeatStatus)
