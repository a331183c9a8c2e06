import json

from tiercel.domain.matching import AssignmentDecision, Penalty


def test_a_decision_becomes_plain_values() -> None:
    decision = AssignmentDecision(
        agent_id="agent_gpu_1",
        agent_name="GPU 1",
        model_id="mistral-7b",
        model_name="Mistral 7B",
        capability_score=77.25,
        performance_score=34.7625,
        performance_adjustment=-42.4875,
        has_performance_data=True,
        success_rate=0.6,
        avg_latency_ms=None,
        penalties=(Penalty("low_success_rate", 0.5),),
        method="adaptive",
        overlap=("coding", "reasoning"),
        missing_required=(),
    )
    plain = decision.to_dict()
    assert plain == {
        "agent_id": "agent_gpu_1",
        "agent_name": "GPU 1",
        "model_id": "mistral-7b",
        "model_name": "Mistral 7B",
        "capability_score": 77.25,
        "performance_score": 34.7625,
        "performance_adjustment": -42.4875,
        "has_performance_data": True,
        "success_rate": 0.6,
        "avg_latency_ms": None,
        "penalties": [{"kind": "low_success_rate", "factor": 0.5}],
        "method": "adaptive",
        "overlap": ["coding", "reasoning"],
        "missing_required": [],
    }
    assert json.loads(json.dumps(plain)) == plain
