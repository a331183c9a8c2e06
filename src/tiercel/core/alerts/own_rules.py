"""What a rule of the operator's own measures, of whom, and whether that is beyond a threshold.

Figures are read from the time buckets of the learned state: a check costs at most about 240 additions per key, whatever
the history. Windows are of whole buckets: exact to 5 minutes within 3 hours, to an hour within 8 days. How long
something has been silent is counted from the end of the last bucket in which it was not, so never too long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import NamedTuple

from tiercel.core.alerts.rules import Breach
from tiercel.core.statistics.buckets import CLOCKS_APART_US, FOREVER_S, Bucket
from tiercel.core.statistics.fold import OVERALL, Key, model_key, segment_model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import Sums, total
from tiercel.domain.alert_rule import AlertRule, Metric
from tiercel.domain.alerts import AlertKey, AlertType
from tiercel.domain.request import Segment


class _OfCalls(NamedTuple):
    """A figure of calls: how it is read, what is counted for it, and how many at least where no rule says so."""

    value: Callable[[Sums], float | None]
    counted: Callable[[Sums], int]
    least: int = 0


_OF_CALLS = {
    Metric.LATENCY_P50_MS: _OfCalls(lambda calls: calls.latency_quantile_ms(0.5), lambda calls: calls.successes),
    Metric.LATENCY_P95_MS: _OfCalls(lambda calls: calls.latency_quantile_ms(0.95), lambda calls: calls.successes),
    Metric.LATENCY_P99_MS: _OfCalls(lambda calls: calls.latency_quantile_ms(0.99), lambda calls: calls.successes),
    Metric.SUCCESS_RATE: _OfCalls(lambda calls: calls.success_rate, lambda calls: calls.requests),
    Metric.COST_USD_PER_REQUEST: _OfCalls(lambda calls: calls.cost_usd / calls.costed, lambda calls: calls.costed),
    # money is spent from the first call on
    Metric.SPEND_USD: _OfCalls(lambda calls: calls.cost_usd, lambda calls: calls.costed, least=1),
}


class Subject(NamedTuple):
    """Whom a rule looks at: where its calls and its ratings count, and for trials whose calls they are tried against.

    `model_id` and `segment` are those of its alerts.
    """

    model_id: str | None
    segment: Segment
    calls: Sequence[Key]
    ratings: Sequence[Key]
    among: Sequence[Key] = ()


def overall_breaches(
    knowledge: Knowledge, rules: Iterable[AlertRule], tiers: Mapping[str, str], now_us: int
) -> Iterator[tuple[AlertKey, Breach]]:
    """What is breached of the rules that look at everything, or at models one by one.

    `tiers` are those of the catalogue's models, which may never have been tried.
    """
    for rule in rules:
        if not rule.by_segment:
            for subject in _overall_subjects(knowledge, rule, tiers):
                yield from _found(knowledge, rule, subject, now_us)


def segment_breaches(
    knowledge: Knowledge, rules: Iterable[AlertRule], tiers: Mapping[str, str], segment: Segment, now_us: int
) -> Iterator[tuple[AlertKey, Breach]]:
    """What is breached in a stage, or of an agent, of the rules that look at it."""
    mine = [rule for rule in rules if rule.by_segment and _concerns(rule, segment)]
    if mine:
        keys = knowledge.keys_of(segment)
        for rule in mine:
            for subject in _segment_subjects(rule, segment, keys, tiers):
                yield from _found(knowledge, rule, subject, now_us)


def _concerns(rule: AlertRule, segment: Segment) -> bool:
    if segment[0] == "agent":
        return bool(rule.agent) and fnmatchcase(segment[1], rule.agent)
    if rule.agent or segment[0] != "stage":
        return False
    return fnmatchcase(segment[1], rule.workflow or "*") and fnmatchcase(segment[2], rule.stage or "*")


def _overall_subjects(knowledge: Knowledge, rule: AlertRule, tiers: Mapping[str, str]) -> Iterator[Subject]:
    trials = rule.metric == Metric.PROBE_STARVATION_S
    if trials and rule.tier:
        tried = [model_key(model_id) for model_id, tier in tiers.items() if tier == rule.tier]
        yield Subject(None, (), tried, (), (OVERALL,))
    elif rule.model or trials:
        known = dict.fromkeys((*(tiers if trials else ()), *knowledge.models()))
        for model_id in known:
            if fnmatchcase(model_id, rule.model or "*"):
                key = model_key(model_id)
                yield Subject(model_id, (), (key,), (key,), (OVERALL,))
    else:
        yield Subject(None, (), (OVERALL,), (OVERALL,))


def _segment_subjects(
    rule: AlertRule, segment: Segment, keys: Iterable[Key], tiers: Mapping[str, str]
) -> Iterator[Subject]:
    place = len(segment)
    parts = [key for key in keys if len(key) == place + 2]
    of_models = sorted(key for key in parts if key[place] == "model")
    of_tiers = [key for key in parts if key[place] == "tier"]
    trials = rule.metric == Metric.PROBE_STARVATION_S
    if trials and rule.tier:
        tried = [segment_model_key(segment, model_id) for model_id, tier in tiers.items() if tier == rule.tier]
        yield Subject(None, segment, tried, (), of_models)
    elif rule.model or trials:
        for key in of_models:
            if fnmatchcase(key[-1], rule.model or "*"):
                yield Subject(key[-1], segment, (key,), (key,), of_models)
    else:
        yield Subject(None, segment, of_models, of_tiers)


def _found(knowledge: Knowledge, rule: AlertRule, subject: Subject, now_us: int) -> Iterator[tuple[AlertKey, Breach]]:
    value = _measured(knowledge, rule, subject, now_us / 1e6)
    breach = None if value is None else rule_breach(rule, subject, value)
    if breach is not None:
        yield AlertKey(AlertType.THRESHOLD_BREACH, subject.model_id, subject.segment, rule.name), breach


def rule_breach(rule: AlertRule, subject: Subject, value: float) -> Breach | None:
    """The worst threshold that `value` is at or beyond, in words; None where it is beyond none."""
    reading = rule.reading
    for severity, limit in rule.ladder:
        if value >= limit if reading.rising else value <= limit:
            whose = _named(rule, subject)
            title, verb = (
                f"{reading.title} of {whose}" if whose else reading.title,
                "exceeds" if reading.rising else "below",
            )
            measured, threshold = reading.write(value), f"{severity.lower()} threshold {reading.write(limit)}"
            return Breach(severity, f"{severity}: {title} {measured} {verb} {threshold} ({rule.name})", value, limit)
    return None


def _named(rule: AlertRule, subject: Subject) -> str:
    what = f"tier {rule.tier}" if rule.tier else subject.model_id or ""
    return " in ".join(filter(None, (what, "/".join(subject.segment[1:]))))


def _measured(knowledge: Knowledge, rule: AlertRule, subject: Subject, now_s: float) -> float | None:
    """The rule's figure; None where too little is known."""
    metric, over = Metric(rule.metric), (rule.window_s, now_s)
    if metric == Metric.PROBE_STARVATION_S:
        busy = _sum(knowledge, subject.among, *over).requests >= rule.minimum_sample
        return _starved_s(knowledge, subject, now_s) if busy else None
    if metric == Metric.QUALITY:
        rated = _sum(knowledge, subject.ratings, *over)
        return rated.mean_quality if rated.ratings >= rule.minimum_sample else None
    calls = _sum(knowledge, subject.calls, *over)
    if metric in _OF_CALLS:
        of_calls = _OF_CALLS[metric]
        return of_calls.value(calls) if of_calls.counted(calls) >= (of_calls.least or rule.minimum_sample) else None
    if calls.requests < rule.minimum_sample:
        return None
    if metric == Metric.RATED_SHARE:
        return min(_sum(knowledge, subject.ratings, *over).ratings / calls.requests, 1.0)
    return _silent_s(knowledge, subject, now_s)


def _sum(knowledge: Knowledge, keys: Iterable[Key], window_s: float, now_s: float) -> Sums:
    return total(knowledge.sums(key, since_s=now_s - window_s, now_s=now_s) for key in keys)


def _silent_s(knowledge: Knowledge, subject: Subject, now_s: float) -> float | None:
    """How long no rating came; where none ever did, how long calls have."""
    rated = [bucket for bucket, sums in _buckets(knowledge, subject.ratings) if sums.ratings > 0]
    called = [bucket for bucket, sums in _buckets(knowledge, subject.calls) if sums.requests]
    return _since(rated, called, now_s)


def _starved_s(knowledge: Knowledge, subject: Subject, now_s: float) -> float | None:
    """How long the model, or the tier, was not called; where it never was, how long others were."""
    tried = [bucket for bucket, sums in _buckets(knowledge, subject.calls) if sums.requests]
    others = [bucket for bucket, sums in _buckets(knowledge, subject.among) if sums.requests]
    return _since(tried, others, now_s)


def _buckets(knowledge: Knowledge, keys: Iterable[Key]) -> Iterable[tuple[Bucket, Sums]]:
    return chain.from_iterable(knowledge.buckets(key) for key in keys)


def _since(last: Sequence[Bucket], first: Sequence[Bucket], now_s: float) -> float | None:
    dated = [end_s for bucket in last if (end_s := _end_s(bucket, now_s)) is not None]
    if dated:
        return max(now_s - max(dated), 0.0)
    begun = [end_s for bucket in first if (end_s := _end_s(bucket, now_s)) is not None]
    return max(now_s - min(begun), 0.0) if begun else None


def _end_s(bucket: Bucket, now_s: float) -> float | None:
    """None for what is too old to be dated, and for what a clock stamped that was ahead."""
    dated = bucket.width_s < FOREVER_S and bucket.start_s <= now_s + CLOCKS_APART_US / 1e6
    return bucket.start_s + bucket.width_s if dated else None
