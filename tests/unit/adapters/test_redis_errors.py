"""Every answer of a Redis server that is an error has a place in tiercel's tree of errors."""

from __future__ import annotations

from typing import Any

import pytest
from redis import exceptions
from redis._parsers.base import BaseParser

from tiercel.adapters.redis_store.errors import AWAY_WORDS, translated, translating
from tiercel.domain.errors import StoreError, StoreUnavailable

SCRIPT = "ERR Error running script (call to f_0c1): @user_script:52: @user_script: 52: -"


def answered(line: str) -> exceptions.RedisError:
    """What the client makes of an error the server answers with."""
    parser: Any = BaseParser
    error = parser.parse_error(line)
    assert isinstance(error, exceptions.RedisError)
    return error


@pytest.mark.parametrize("word", AWAY_WORDS)
@pytest.mark.parametrize("before", ["", SCRIPT], ids=["plain", "in a script"])
def test_what_may_be_tried_again(before: str, word: str) -> None:
    line = "7000 127.0.0.1:6381" if word in ("MOVED", "ASK") else "it said why"
    error = translated(answered(f"{before}{word} {line}"), "redis://h")
    assert type(error) is StoreUnavailable
    assert str(error).startswith("redis://h: ")


@pytest.mark.parametrize(
    "raised",
    [
        exceptions.ConnectionError("refused"),
        exceptions.TimeoutError("Timeout reading from socket"),
        exceptions.BusyLoadingError("loading"),
        exceptions.AuthenticationError("invalid password"),
        exceptions.MaxConnectionsError("too many"),
        answered("ERR max number of clients reached"),
        answered("ERR invalid password"),
    ],
    ids=repr,
)
def test_what_the_client_says_that_may_be_tried_again(raised: exceptions.RedisError) -> None:
    assert type(translated(raised, "redis://h")) is StoreUnavailable


@pytest.mark.parametrize(
    "line",
    [
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR unknown command 'XADD'",
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "ERR syntax error: LOADINGS",
    ],
)
def test_what_would_not_help_to_try_again(line: str) -> None:
    error = translated(answered(line), "redis://h")
    assert type(error) is StoreError
    assert not error.retryable


def test_an_error_without_words_says_what_it_is() -> None:
    with pytest.raises(StoreUnavailable, match="redis://h: TimeoutError"), translating("redis://h"):
        raise exceptions.TimeoutError
