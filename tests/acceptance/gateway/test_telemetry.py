"""Telemetry and logs of a real gateway: over the wire to a collector that decodes them, and as lines in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.otlp_receiver import Receiver, otlp_receiver, plain
from support.servers import gateway, get, post, running, upstream

TRACE = "0af7651916cd43dd8448eb211c80319c"
CANARY = "CANARY-7f3a"
SECRET = "a-token-of-the-collector"
OUTCOME = {"decision_id": "dec_of_another", "success": True, "latency_ms": 5}
MODELS = [("ok", "cheap"), ("ok-best", "premium")]
CHAT = {
    "model": "auto",
    "messages": [{"role": "user", "content": CANARY}],
    "user": CANARY,
    "metadata": {"workflow": "w", "stage": "s", "session_id": CANARY, "agent_id": CANARY},
}


def configured(receiver: Receiver) -> str:
    return f'[telemetry]\nendpoint = "{receiver.url}"\nheaders_env = {{ x-token = "COLLECTOR_TOKEN" }}\n'


def test_calls_and_ratings_reach_a_collector(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        with gateway(tmp_path, MODELS, configured(receiver), {"COLLECTOR_TOKEN": SECRET}) as served:
            headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            status, answer = post(f"{served.url}/v1/chat/completions", CHAT, headers)
            assert status == 200
            rating = {"completion_id": answer["id"], "quality": 0.75, "source": CANARY, "metadata": {"who": CANARY}}
            assert post(f"{served.url}/v1/feedback", rating)[0] == 202
            decision = get(f"{served.url}/v1/decisions")["data"][0]["id"]
        for path in ("/v1/traces", "/v1/metrics", "/v1/logs"):
            receiver.wait(path)
    (span,) = receiver.spans
    told = plain(span.attributes)
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("chat ok", TRACE, "b7ad6b7169203331")
    assert (told["gen_ai.provider.name"], told["gen_ai.usage.input_tokens"]) == ("scripted", 12)
    assert (told["tiercel.decision.id"], told["tiercel.tier"]) == (decision, "cheap")
    (record,) = receiver.records
    assert (record.event_name, record.span_id, record.trace_id) == (
        "gen_ai.evaluation.result",
        span.span_id,
        span.trace_id,
    )
    assert plain(record.attributes)["gen_ai.evaluation.score.value"] == 0.75
    assert {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"} <= set(receiver.metrics)
    assert all({name.lower(): value for name, value in h.items()}["x-token"] == SECRET for h in receiver.headers)
    assert CANARY.encode() not in receiver.raw


def test_a_collector_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    extra = '[telemetry]\nendpoint = "http://127.0.0.1:9"\n'
    with gateway(tmp_path, MODELS, extra) as served:
        for _ in range(20):
            assert post(f"{served.url}/v1/chat/completions", CHAT)[0] == 200
        assert get(f"{served.url}/health")["status"] == "ok"


def test_the_variables_of_opentelemetry_are_enough(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        with gateway(tmp_path, MODELS, "", {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}) as served:
            post(f"{served.url}/v1/chat/completions", CHAT)
        receiver.wait("/v1/traces")
        off = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SDK_DISABLED": "true"}
        with gateway(tmp_path, MODELS, "", off) as served:
            post(f"{served.url}/v1/chat/completions", CHAT)
    assert len(receiver.spans) == 1


def test_no_token_no_start(tmp_path: Path) -> None:
    with (
        upstream() as url,
        pytest.raises(RuntimeError, match=r"telemetry\.headers_env\.x-token.*COLLECTOR_TOKEN is not set"),
        running(
            tmp_path, url, MODELS, '[telemetry]\nendpoint = "http://h:1"\nheaders_env = { x-token = "COLLECTOR_TOKEN" }'
        ),
    ):
        pass


def test_logs_as_json_are_a_line_per_record_with_the_request(tmp_path: Path) -> None:
    nowhere = {"TIERCEL_STORE": "redis://127.0.0.1:9"}
    with gateway(tmp_path, MODELS, '[server]\nlog_format = "json"', nowhere) as served:
        assert post(f"{served.url}/v1/decisions", {}, {"x-request-id": "mine-0"})[0] == 200
        status, _ = post(f"{served.url}/v1/outcomes", OUTCOME, {"x-request-id": "mine-1"})
        assert status == 503
    told = [json.loads(line) for line in (tmp_path / "gateway.log").read_text().splitlines()]
    assert "mine-1" in {record.get("request_id") for record in told}
    assert all({"time", "level", "logger", "message"} <= set(record) for record in told)
