"""What learning costs: decide() with `contextual`, an update, the state's bytes, and what a merge loses.

10 models, 15 segments (one-hots, as the model is hierarchical) and 9 figures of the prompt: d = 24.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from benchmarks import results
from rich.console import Console
from rich.table import Table

from tiercel import ModelProfile, Price, Router
from tiercel.adapters.codec import state_rows
from tiercel.core.features import Basis
from tiercel.core.policies.base import Situation
from tiercel.core.policies.contextual import ContextualPolicy
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.moments import Moments
from tiercel.domain.events import Event, Feedback, Label, Outcome
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.testing import EPOCH

MODELS = tuple(
    ModelProfile(
        model_id=f"model-{i}",
        tier=("cheap", "capable", "premium")[i % 3],
        context_length=32_768,
        price=Price(0.1 * (i + 1), 0.4 * (i + 1)),
    )
    for i in range(10)
)
STAGES = 15
WARM, DECISIONS, LABELS = 3_000, 10_000, 6_000
AT_ONCE = 32
SENTENCES = (
    "What is the capital of France? ",
    "Sum 12.5 and 30, then explain why. ",
    "Write a short story about a bear. ",
    "(A) yes (B) no\n",
    "Translate this into German, please.\n",
)
NOW_US = round(EPOCH.timestamp() * 1e6)
BASIS = Basis()


def prompt_of(chance: random.Random, length: int) -> str:
    """A prompt of about that many characters."""
    text = ""
    while len(text) < length:
        text += chance.choice(SENTENCES)
    return text


def quantiles_us(call: Callable[[int], object], count: int) -> dict[str, float]:
    """Microseconds of each of `count` calls."""
    took = []
    for i in range(count):
        started = time.perf_counter_ns()
        call(i)
        took.append((time.perf_counter_ns() - started) / 1000)
    ranked = statistics.quantiles(took, n=100)
    return {"p50_us": ranked[49], "p99_us": ranked[98]}


def reference(_: int) -> int:
    """A fixed piece of pure Python, for comparing machines: about as much as ten models' scores."""
    return sum(i * i for i in range(500))


def decide(length: int) -> dict[str, float]:
    """Decisions of a router that has learned from every fourth of its answers."""
    chance = random.Random(length)
    prompts = [prompt_of(chance, length) for _ in range(200)]
    with Router(models=MODELS, policy="contextual") as router:
        for i in range(WARM):
            decision = router.decide("work", f"stage-{i % STAGES}", prompt=prompts[i % 200])
            router.record_outcome(decision.id, success=True, latency_ms=300.0, prompt_tokens=80, completion_tokens=200)
            if i % 4 == 0:
                router.record_feedback(decision.id, chance.uniform(0.6, 1.0), source="evaluator")
            if i % 500 == 499:
                router.learner.flush()
        router.learner.flush()
        figures: list[dict[str, float]] = []
        # the buffer is bounded: a gateway's writer keeps up in its pauses
        for _ in range(DECISIONS // 2_000):
            figures.append(
                quantiles_us(lambda i: router.decide("work", f"stage-{i % STAGES}", prompt=prompts[i % 200]), 2_000)
            )
            router.learner.flush()
    return {name: statistics.median(figure[name] for figure in figures) for name in figures[0]}


def events_of(chance: random.Random, number: int, *, templates: bool) -> list[Event]:
    """A call and its rating. Of `templates` every stage has its own, so that its prompts have one shape."""
    segment, model = stage_segment("work", f"stage-{number % STAGES}"), chance.choice(MODELS)
    template = SENTENCES[number % STAGES % len(SENTENCES)] * chance.randrange(8, 12)
    prompt = template if templates else prompt_of(chance, 300)
    label = Label(BASIS.read(RequestContext(prompt=prompt)), BASIS.name, 0.8, tick=number / 700)
    outcome = Outcome(
        decision_id=f"d{number}",
        recorded_at=EPOCH,
        segment=segment,
        model=model.model_id,
        tier=model.tier,
        success=True,
        latency_ms=300.0,
        prompt_tokens=80,
        completion_tokens=chance.randrange(400),
        label=label,
    )
    rating = Feedback(
        id=f"f{number}",
        recorded_at=EPOCH,
        segment=segment,
        tier=model.tier,
        quality=chance.random(),
        model=model.model_id,
        decision_id=f"d{number}",
        source="evaluator",
        label=label,
    )
    return [outcome, rating]


def together(batches: list[list[Event]], count: int) -> list[list[Event]]:
    """As a commit takes them: so many labels at once."""
    return [[event for batch in batches[i : i + count] for event in batch] for i in range(0, len(batches), count)]


def update(batches: list[list[Event]]) -> tuple[dict[str, float], Knowledge]:
    """Per label, on average over all: folding, adding and the policy's own estimates, each by itself."""
    knowledge, policy = Knowledge(), ContextualPolicy()
    vector = BASIS.read(RequestContext(prompt="Hello"))
    situation = Situation(
        RequestContext(), stage_segment("work", "stage-0"), MODELS, knowledge, "", NOW_US, vector, BASIS.name
    )
    policy.propose(situation)
    spent = dict.fromkeys(("fold", "add", "learned"), 0)
    for batch in batches:
        started = time.perf_counter_ns()
        deltas = fold(batch)
        folded = time.perf_counter_ns()
        knowledge.add(deltas)
        added = time.perf_counter_ns()
        policy.learned(batch)
        spent["fold"] += folded - started
        spent["add"] += added - folded
        spent["learned"] += time.perf_counter_ns() - added
    labels = sum(isinstance(event, Feedback) for batch in batches for event in batch)
    figures = {f"{name}_us": total / 1000 / labels for name, total in spent.items()}
    return {**figures, "per_label_us": sum(figures.values())}, knowledge


def size(state: Deltas) -> dict[str, float]:
    """Bytes of the state as it is stored: what a policy that learns needs, and everything."""
    learned = Deltas(moments=state.moments, usage=state.usage, clocks=state.clocks)
    sizes = {"learned": learned, "all": state}
    return {
        f"{name}_bytes": float(sum(len(row.body) + len(row.address.key) for row in state_rows(part)))
        for name, part in sizes.items()
    } | {"kinds": float(len({(key[:3], shape) for key, held in state.moments.items() for shape in held.shapes}))}


def merge_difference(batches: list[list[Event]]) -> float:
    """The largest difference of any sum, two replicas merged against one writer, relative to the largest sum."""
    one = fold(event for batch in batches for event in batch)
    merged, replica = (fold(event for batch in batches[i::2] for event in batch) for i in (0, 1))
    merged.merge(replica)
    worst = 0.0
    for key, moments in one.moments.items():
        ours, theirs = _sums(moments), _sums(merged.moments[key])
        largest = max(map(abs, ours))
        worst = max(worst, *(abs(a - b) / largest for a, b in zip(ours, theirs, strict=True)))
    return worst


def _sums(moments: Moments) -> list[float]:
    at_zero = 2.0**moments.landmark
    shapes = [value for _, of in sorted(moments.shapes.items()) for value in (of.n, of.r, *of.z, *of.rz)]
    return [at_zero * value for value in (moments.rr, *moments.zz, *shapes)]


def main() -> None:
    """Measure, print a table, keep the figures."""
    figures: dict[str, dict[str, float]] = {
        "reference": quantiles_us(reference, 5_000),
        "decide, prompt of 300": decide(300),
        "decide, prompt of 3,000": decide(3_000),
    }
    for name, templates in (("one template a stage", True), ("prompts of all shapes", False)):
        chance = random.Random(1)
        batches = [events_of(chance, number, templates=templates) for number in range(LABELS)]
        cost, knowledge = update(batches)
        figures[f"update, {name}"] = cost
        figures[f"update, {name}, {AT_ONCE} at once"] = update(together(batches, AT_ONCE))[0]
        figures[f"state, {name}"] = size(knowledge.export())
        figures[f"merge, {name}"] = {"largest_difference": merge_difference(batches)}
    table = Table("what", "figure", "value", title=f"{len(MODELS)} models, {STAGES} segments, 9 figures")
    for what, row in figures.items():
        for name, value in row.items():
            table.add_row(what, name, f"{value:.4g}")
    Console().print(table)
    results.store("learn", figures)


if __name__ == "__main__":
    main()
