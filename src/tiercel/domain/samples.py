"""The built-in sample models and agents (founding system A), for demos, docs and tests."""

from __future__ import annotations

from tiercel.domain.catalogue import Agent, ModelProfile

SAMPLE_MODELS: tuple[ModelProfile, ...] = (
    ModelProfile(
        model_id="llama3-70b",
        model_name="LLaMA 3 70B",
        context_length=8192,
        tier="premium",
        capabilities={
            "coding": 0.90,
            "math": 0.85,
            "reasoning": 0.95,
            "general": 0.95,
            "multilingual": 0.80,
            "long_context": 0.85,
            "high_accuracy": 0.90,
        },
    ),
    ModelProfile(
        model_id="mistral-7b",
        model_name="Mistral 7B",
        context_length=32768,
        tier="capable",
        capabilities={
            "coding": 0.80,
            "math": 0.75,
            "reasoning": 0.85,
            "general": 0.85,
            "multilingual": 0.70,
            "long_context": 0.95,
            "low_latency": 0.85,
        },
    ),
    ModelProfile(
        model_id="tinyllama-1b",
        model_name="TinyLlama 1B",
        context_length=2048,
        tier="cheap",
        capabilities={"general": 0.70, "reasoning": 0.60, "low_latency": 0.95, "coding": 0.50},
    ),
)

SAMPLE_AGENTS: tuple[Agent, ...] = (
    Agent(
        agent_id="agent_gpu_1",
        agent_name="GPU agent 1",
        required=("coding", "reasoning"),
        preferred=("high_accuracy", "long_context"),
        min_context_length=4096,
    ),
    Agent(
        agent_id="agent_gpu_2",
        agent_name="GPU agent 2",
        required=("general", "reasoning"),
        preferred=("multilingual", "long_context"),
        min_context_length=4096,
    ),
    Agent(
        agent_id="agent_cpu_1",
        agent_name="CPU agent 1",
        required=("general",),
        preferred=("low_latency",),
        min_context_length=2048,
    ),
)
