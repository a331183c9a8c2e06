"""The store in Redis as others meet it: the library, other tools, the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.redis_server import RedisServer, redis_server
from typer.testing import CliRunner

from support.happenings import alert, decision, feedback, outcome
from support.servers import free_port
from support.together import all_write
from tiercel import bootstrap
from tiercel.apps.cli.checkup import FAIL, OK
from tiercel.apps.cli.main import program
from tiercel.core.statistics.fold import fold
from tiercel.library.feedback_loop import FeedbackLoop
from tiercel.ports import Store

WEEK_S = 604_800


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


def test_feedback_is_shared_and_seen_by_other_tools(server: RedisServer) -> None:
    with FeedbackLoop(server.url) as loop:
        feedback_id = loop.record_feedback("code:review", "an{al}ysis*", "cheap", 0.25, {"ü": [1]})
    key = f"feedback:code%3Areview:an%7Bal%7Dysis%2A:cheap:{feedback_id}"
    assert server.client.keys("feedback:*") == [key.encode()]
    assert WEEK_S - 60 < server.client.ttl(key) <= WEEK_S
    shown = json.loads(server.client.get(key))
    with FeedbackLoop(server.url) as loop:
        (entry,) = loop.get_feedback_history("code:review", "an{al}ysis*")
        assert shown == {"quality_score": 0.25, "timestamp": entry.timestamp.isoformat(), "metadata": {"ü": [1]}}
        assert loop.clear_feedback("code:review") == 1
    assert server.client.keys("feedback:*") == []


def rate_twice(store: Store) -> None:
    """The second rating revises the first."""
    for number, quality in enumerate((0.1, 0.9)):
        rating = feedback(f"f{number}", quality, seconds=number, decision_id="dec_1", source="user:1")
        store.append([decision(1), outcome(1, completion_id="cmpl_1"), alert(1), rating], fold)


def test_a_revised_rating_is_not_shown_any_more(server: RedisServer) -> None:
    store = bootstrap.open_store(server.url)
    rate_twice(store)
    (key,) = server.client.keys("feedback:*")
    assert json.loads(server.client.get(key))["quality_score"] == 0.9
    store.close()


def test_two_names_are_two_stores(server: RedisServer) -> None:
    with FeedbackLoop(f"{server.url}?name=a:b") as one, FeedbackLoop(f"{server.url}?name=a") as other:
        one.record_feedback("w", "s", "cheap", 0.5)
        assert len(one.get_feedback_history("w", "s")) == 1
        assert other.get_feedback_history("w", "s") == []
    assert server.client.exists("tiercel:{a%3Ab}:log", "tiercel:{a}:log") == 1


def test_every_key_of_a_store_but_the_shown_ratings_has_its_tag(server: RedisServer) -> None:
    store = bootstrap.open_store(server.url)
    rate_twice(store)
    store.close()
    others = [key for key in server.client.keys("*") if not key.startswith(b"tiercel:{tiercel}:")]
    assert [key.partition(b":")[0] for key in others] == [b"feedback"]


def test_eight_processes_write_to_one_server(server: RedisServer) -> None:
    all_write(server.url)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiercel.toml").write_text('[store]\nurl = "redis://store.example:6379/0"\n[server]\nport = 0\n')
    monkeypatch.chdir(tmp_path)


def doctors_word_on_the_store() -> dict[str, str]:
    result = CliRunner().invoke(program, ["doctor", "--json"])
    (found,) = (check for check in json.loads(result.stdout)["checks"] if check["check"] == "store")
    assert "CANARY" not in result.output
    return {name: found[name] for name in ("status", "found")}


@pytest.mark.usefixtures("config")
def test_the_doctor_reads_and_writes(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.client.config_set("requirepass", "CANARY-1")
    address = server.url.removeprefix("redis://")
    monkeypatch.setenv("TIERCEL_STORE", f"redis://:CANARY-1@{address}")
    shown = f"redis://***@{address}"
    assert doctors_word_on_the_store() == {"status": OK, "found": f"{shown} can be read and written"}
    described = CliRunner().invoke(program, ["config", "show", "tiercel.toml", "--json"]).output
    assert shown in described
    assert "CANARY" not in described


@pytest.mark.usefixtures("config")
def test_the_doctor_says_what_is_wrong(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERCEL_STORE", f"redis://127.0.0.1:{free_port()}/0")
    assert doctors_word_on_the_store()["status"] == FAIL
    monkeypatch.setenv("TIERCEL_STORE", f"redis://:CANARY@{server.url.removeprefix('redis://')}")
    assert doctors_word_on_the_store()["status"] == FAIL
    monkeypatch.setenv("TIERCEL_STORE", server.url)
    server.client.replicaof("127.0.0.1", free_port())
    found = doctors_word_on_the_store()
    assert found["status"] == FAIL
    assert "read only replica" in found["found"]
