"""The public fakes do what their scripts say."""

from __future__ import annotations

import asyncio
import json

import pytest

from tiercel.domain.errors import ProviderTimeout, ProviderUnreachable
from tiercel.ports import Provider
from tiercel.testing import Reply, ScriptedProvider, completion, error_reply, stream


async def ask(provider: Provider, *, streamed: bool = False) -> tuple[int, bytes]:
    response = await provider.chat(b'{"model": "m"}', stream=streamed, timeout_s=1.0)
    return response.status, b"".join([chunk async for chunk in response.body])


async def test_replies_come_in_turn_and_the_last_again_and_again() -> None:
    provider = ScriptedProvider(completion("one"), error_reply(503, "busy"))
    assert b"one" in (await ask(provider))[1]
    for _ in range(2):
        status, body = await ask(provider, streamed=True)
        assert (status, json.loads(body)["error"]["message"]) == (503, "busy")
    assert [(call.body, call.stream, call.timeout_s) for call in provider.calls] == [
        ({"model": "m"}, False, 1.0),
        ({"model": "m"}, True, 1.0),
        ({"model": "m"}, True, 1.0),
    ]
    assert provider.left == 0


async def test_without_a_script_it_says_hello() -> None:
    assert b"Hello" in (await ask(ScriptedProvider()))[1]


async def test_refusing_and_breaking() -> None:
    with pytest.raises(ProviderUnreachable):
        await ask(ScriptedProvider(Reply(refuses=ProviderUnreachable())))
    response = await ScriptedProvider(stream("a", done=False, breaks=ProviderTimeout())).chat(
        b"{}", stream=True, timeout_s=1
    )
    assert b'"a"' in await anext(response.body)
    with pytest.raises(ProviderTimeout):
        await anext(response.body)


@pytest.mark.parametrize("reply", [Reply(hangs_before_head=True), stream("a", done=False, hangs=True)])
async def test_hanging_until_the_caller_gives_up(reply: Reply) -> None:
    asking = asyncio.ensure_future(ask(ScriptedProvider(reply)))
    done, _ = await asyncio.wait((asking,), timeout=0)
    assert not done
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_answer_closed_before_its_end_is_counted() -> None:
    provider = ScriptedProvider(stream("a", "b"))
    response = await provider.chat(b"{}", stream=True, timeout_s=1)
    await anext(response.body)
    await response.body.aclose()
    await response.body.aclose()
    assert provider.left == 1
    await provider.close()
    assert provider.closed
