"""What is asked of the log without following it. Each takes two round trips, however many partitions there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tiercel.adapters.codec import SIGNAL
from tiercel.adapters.redis_store import log_index
from tiercel.adapters.redis_store.keys import Key, Keys, home_of
from tiercel.adapters.redis_store.log_index import Logged
from tiercel.adapters.redis_store.nodes import Command
from tiercel.adapters.redis_store.server import Server
from tiercel.core.logbook import event_time
from tiercel.domain.decision import Decision
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import SIGNALS, Event, Feedback, Outcome, Signal
from tiercel.domain.request import stage_segment
from tiercel.ports import DecisionRecord


class Queries:
    """The indexes of a store."""

    def __init__(self, server: Server, partitions: Sequence[Keys]) -> None:
        self._server = server
        self._partitions = partitions

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """What is known of a decision, or None. Raises `StoreUnavailable` if it may be where nobody can be asked."""
        answers, away = self._of_all(
            [
                [("HGET", keys.ids.name, f"decision:{decision_id}"), ("HGETALL", keys.about(decision_id).name)]
                for keys in self._partitions
            ]
        )
        wanted = [(keys, (at, *about.values())) for keys, (at, about) in answers if at is not None]
        for entries in log_index.entries_of_each(self._server, wanted):
            found = [event for _, event in sorted(entries, key=_position)]
            decision = next((event for event in found if isinstance(event, Decision)), None)
            if decision is not None:
                ratings = sorted((event for event in found if isinstance(event, Feedback)), key=event_time)
                outcomes = tuple(event for event in found if isinstance(event, Outcome))
                return DecisionRecord(decision, outcomes, tuple(ratings))
        if away:
            raise away[0]
        return None

    def decision_of_completion(self, completion_id: str) -> str | None:
        """The id of the decision whose call answered with that completion id, or None. Raises as `decision` does."""
        prefix = log_index.completion(completion_id)
        last = (f"[{prefix}:", f"[{prefix}", "LIMIT", 0, 1)  # digits sort before the colon
        answers, away = self._of_all([[("ZREVRANGEBYLEX", keys.completions.name, *last)] for keys in self._partitions])
        wanted = [
            (keys, [member.rpartition(b"\x00")[2] for member in members]) for keys, (members,) in answers if members
        ]
        found = [event for entries in log_index.entries_of_each(self._server, wanted) for _, event in entries]
        outcomes = sorted((event for event in found if isinstance(event, Outcome)), key=event_time)
        if away and not outcomes:
            raise away[0]
        return outcomes[-1].decision_id if outcomes else None

    def _of_all(
        self, questions: Sequence[Sequence[Command]]
    ) -> tuple[list[tuple[Keys, list[Any]]], list[StoreUnavailable]]:
        """What each partition answers, of those that are there; and why others are not."""
        answers = list(zip(self._partitions, self._server.try_each(questions), strict=True))
        away = [answer for _, answer in answers if isinstance(answer, StoreUnavailable)]
        return [(keys, answer) for keys, answer in answers if not isinstance(answer, StoreUnavailable)], away

    def newest(self, indexes: Iterable[tuple[Keys, Key]], limit: int, *, until_us: int | None = None) -> list[Event]:
        """The newest `limit` events of several indexes, newest first; of the same moment, the last to arrive first.

        With `until_us`, of those at that time or before.
        """
        if limit <= 0:
            return []
        asked = list(indexes)
        latest = "+inf" if until_us is None else str(until_us)
        part = (latest, "-inf", "WITHSCORES", "LIMIT", 0, limit)
        answers = self._server.ask(*(("ZREVRANGEBYSCORE", key.name, *part) for _, key in asked))
        dated = [
            (int(score), member, keys)
            for (keys, _), members in zip(asked, answers, strict=True)
            for member, score in log_index.as_pairs(members).items()
        ]
        dated.sort(key=lambda place: place[:2], reverse=True)
        wanted: dict[int, tuple[Keys, list[bytes]]] = {}
        for _, member, keys in dated[:limit]:
            wanted.setdefault(id(keys), (keys, []))[1].append(member)
        entries = [entry for some in log_index.entries_of_each(self._server, wanted.values()) for entry in some]
        entries.sort(key=lambda entry: (event_time(entry.event), entry.position), reverse=True)
        return [event for _, event in entries]

    def signals(self, agent_id: str, after: str, limit: int) -> list[Signal]:
        """Those to an agent or to all, in the order of the log: they are all in one partition."""
        keys = self._partitions[home_of(SIGNALS, len(self._partitions))]
        (known,) = self._server.ask(("HGET", keys.ids.name, f"{SIGNAL}:{after}"))
        since = "-" if known is None else f"({known.decode()}"
        count = max(limit, 0)
        indexes = [keys.signals(to_agent).name for to_agent in dict.fromkeys(("", agent_id))]
        answers = self._server.ask(*(("ZRANGEBYLEX", index, since, "+", "LIMIT", 0, count) for index in indexes))
        wanted = sorted(member for members in answers for member in members)[:count]
        found = sorted(log_index.entries(self._server, keys, wanted), key=_position)
        return [event for _, event in found if isinstance(event, Signal)]

    def feedback(self, workflow: str, stage: str, tier: str | None, limit: int) -> list[Event]:
        """The newest ratings of a stage, of one tier or of all."""
        keys = self._partitions[home_of(stage_segment(workflow, stage), len(self._partitions))]
        tiers: list[str | None] = [tier]
        if tier is None:
            tiers = [name for where, name in log_index.rated(self._server, keys, workflow) if where == stage]
        return self.newest([(keys, keys.history(workflow, stage, name)) for name in tiers if name is not None], limit)

    def rated_tiers(self, workflow: str) -> list[tuple[str, str]]:
        """Every (stage, tier) of a workflow that has a rating in force."""
        rated = log_index.rated_of_each(self._server, self._partitions, workflow)
        named = [
            (keys, stage, tier)
            for keys, histories in zip(self._partitions, rated, strict=True)
            for stage, tier in histories
            if tier is not None
        ]
        counts = self._server.ask(*(("ZCARD", keys.history(workflow, stage, tier).name) for keys, stage, tier in named))
        return sorted({(stage, tier) for (_, stage, tier), count in zip(named, counts, strict=True) if count})


def _position(entry: Logged) -> int:
    return entry.position
