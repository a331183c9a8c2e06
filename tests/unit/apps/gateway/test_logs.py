"""A line per record, whatever is in it."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.apps.gateway.logs import JSON, REQUEST_ID, TEXT, JsonLines, TextLines, log_configuration

FORGED = "x\r\n2026-01-01T00:00:00.000Z ERROR tiercel.gateway: forged\u2028forged\x85forged\x1b[2J"


def record(message: str = "m %s", *args: object, error: BaseException | None = None, **extra: str) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    made = logging.LogRecord("tiercel.store", logging.WARNING, __file__, 1, message, args, exc_info)
    made.created = 1_767_225_600.25
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def raised(message: str) -> ValueError:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any message
        raise ValueError(message)
    return caught.value


def test_json_says_what_there_is() -> None:
    told = json.loads(JsonLines().format(record("away: %s", "x", request_id="req_1", decision_id="dec_1")))
    assert told == {
        "time": "2026-01-01T00:00:00.250Z",
        "level": "warning",
        "logger": "tiercel.store",
        "message": "away: x",
        "request_id": "req_1",
        "decision_id": "dec_1",
    }
    assert set(json.loads(JsonLines().format(record("m")))) == {"time", "level", "logger", "message"}


def test_text_says_the_same() -> None:
    line = TextLines().format(record("away: %s", "x", request_id="req_1", decision_id="dec_1"))
    assert line == "2026-01-01T00:00:00.250Z WARNING tiercel.store request_id=req_1 decision_id=dec_1: away: x"


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_nothing_ends_a_line_or_forges_one(formatter: logging.Formatter) -> None:
    line = formatter.format(record("m %s", FORGED, request_id=FORGED))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    with_error = formatter.format(record(FORGED, error=raised(FORGED)))
    assert all(line.startswith("  ") for line in with_error.splitlines()[1:])
    assert "ValueError" in with_error


@given(st.text())
def test_json_gives_every_message_back(message: str) -> None:
    line = JsonLines().format(record("%s", message, error=raised(message)))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == message


def test_the_request_of_the_task_is_known() -> None:
    token = REQUEST_ID.set("req_7")
    try:
        assert json.loads(JsonLines().format(record("m")))["request_id"] == "req_7"
    finally:
        REQUEST_ID.reset(token)


@pytest.mark.parametrize(("log_format", "expected"), [(JSON, '"message": "m"'), (TEXT, "WARNING tiercel.x: m")])
def test_the_configuration_is_one(log_format: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **log_configuration(log_format)})
        root.handlers[0].stream = sys.stderr  # type: ignore[attr-defined]
        logging.getLogger("tiercel.x").warning("m")
        logging.getLogger("tiercel.x").info("not told")
    finally:
        root.handlers, root.level = handlers, level
    assert expected in capsys.readouterr().err
