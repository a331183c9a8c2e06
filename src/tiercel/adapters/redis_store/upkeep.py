"""What is done to the state as a whole, each in one step that is void if others changed the state meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tiercel.adapters.redis_store import layers, log_index, progress
from tiercel.adapters.redis_store.keys import Keys
from tiercel.adapters.redis_store.layers import LEARNED, TRIMMED
from tiercel.adapters.redis_store.log_index import CHUNK, History, Logged
from tiercel.adapters.redis_store.progress import Progress, begin, only_if_learned, set_progress, without_past
from tiercel.adapters.redis_store.server import Server, Write
from tiercel.core.logbook import YOUNG_LOG, rater
from tiercel.core.statistics.fold import Deltas
from tiercel.core.statistics.forget import forget_ratings
from tiercel.domain.events import Feedback
from tiercel.ports import Fold


class Upkeep:
    """The state in a server. Each method returns None where it was void: then it is to be tried again."""

    def __init__(self, server: Server, keys: Keys, teach: Fold) -> None:
        self._server = server
        self._keys = keys
        self._teach = teach

    def learn(self, fold: Fold) -> None:
        """Bring the learned layer up to the end of the log, unless others are at it too."""
        now = self._progress()
        step = self._step(now)
        added = layers.taught(self._server, self._keys, now.learned, now.position, fold)
        layers.merge_into(self._server, step, self._keys, LEARNED, added)
        set_progress(step, self._keys, learned=str(now.position))
        self._done(step)

    def load(self) -> tuple[Deltas, Progress] | None:
        """What the log teaches, and how far it goes."""
        now, (learned,) = self._snapshot(LEARNED)
        state = layers.read_layer(learned)
        state.merge(layers.taught(self._server, self._keys, now.learned, now.position, self._teach))
        after = self._progress()
        return (state, now) if (after.generation, after.log) == (now.generation, now.log) else None

    def taught(self, after: int, to: int) -> Deltas:
        """What the log teaches between two positions."""
        return layers.taught(self._server, self._keys, after, to, self._teach)

    def compact(self, now_s: float) -> bool | None:
        """Move what has aged into coarser time buckets."""
        now, held = self._snapshot(LEARNED, TRIMMED)
        step = self._step(now)
        for layer, rows in zip((LEARNED, TRIMMED), held, strict=True):
            layers.exchange(step, self._keys, layer, rows, layers.read_layer(rows).climbed(now_s))
        set_progress(step, self._keys, compacted_at_s=repr(now_s), generation=str(now.generation + 1))
        return self._done(step)

    def rebuild(self, fold: Fold) -> bool | None:
        """Make the learned layer what the log and the trimmed layer teach."""
        now, (learned, trimmed) = self._snapshot(LEARNED, TRIMMED)
        state = layers.read_layer(trimmed)
        state.merge(layers.taught(self._server, self._keys, 0, now.position, fold))
        step = self._step(now)
        layers.exchange(step, self._keys, LEARNED, learned, state.climbed(now.compacted_at_s))
        without_past(step, self._keys, now._replace(learned=now.position))
        return self._done(step)

    def restore(self, state: Deltas, followed: str | None) -> bool | None:
        """Add what the log taught that was followed and is gone, if nothing but a few events was ever done to this."""
        now = self._progress()
        if has_past(now, followed):
            return False
        step = self._step(now)
        for layer in (LEARNED, TRIMMED):
            layers.merge_into(self._server, step, self._keys, layer, state)
        without_past(step, self._keys, now)
        return self._done(step)

    def clear(self, workflow: str, stage: str | None) -> int | None:
        """Remove ratings and what they taught; how many were in force."""
        now, (learned, trimmed) = self._snapshot(LEARNED, TRIMMED)
        state = layers.read_layer(learned)
        state.merge(layers.taught(self._server, self._keys, now.learned, now.position, self._teach))
        step = self._step(now)
        for layer, rows, held in ((LEARNED, learned, state), (TRIMMED, trimmed, layers.read_layer(trimmed))):
            forget_ratings(held, workflow, stage)
            layers.exchange(step, self._keys, layer, rows, held)
        count = 0
        for where, tier in log_index.rated(self._server, self._keys, workflow):
            if stage in (None, where):
                ratings = self._history((workflow, where, tier))
                self._take_out(step, ratings)
                count += len(ratings) if tier is not None else 0
        without_past(step, self._keys, now._replace(learned=now.position))
        return count if self._done(step) else None

    def trim_some(self, end: int) -> int | None:
        """Remove some of the events of one day before day `end`; how many, -1 if no such day is left."""
        answer, days = self._server.ask(
            progress.asked(self._keys),
            ("ZRANGEBYSCORE", self._keys.days.name, "-inf", f"({end}", "LIMIT", 0, 1),
        )
        if not days:
            return -1
        now, day = progress.read(answer), self._keys.day(int(days[0]))
        (positions,) = self._server.ask(("LRANGE", day.name, 0, CHUNK - 1))
        step = self._step(now)
        if not positions:
            step.only_if(0, "EXISTS", day)
            step.add("ZREM", self._keys.days, days[0])
            return 0 if self._done(step) else None
        old = log_index.entries(self._server, self._keys, positions)
        added = layers.taught(self._server, self._keys, now.learned, now.position, self._teach)
        layers.merge_into(self._server, step, self._keys, LEARNED, added)
        layers.merge_into(self._server, step, self._keys, TRIMMED, self._teach([event for _, event in old]))
        self._take_out(step, old)
        floor = max((now.floor, *(position for position, _ in old)))
        figures = {"learned": now.position, "floor": floor, "generation": now.generation + 1}
        set_progress(step, self._keys, **{field: str(figure) for field, figure in figures.items()})
        step.add("LTRIM", day, str(len(positions)), "-1")
        return len(old) if self._done(step) else None

    def _take_out(self, step: Write, old: Sequence[Logged]) -> None:
        """Take events out of the log and the indexes, if none is revised meanwhile; an empty history has no name."""
        raters = [rater(event) if isinstance(event, Feedback) else None for _, event in old]
        asked = [who for who in raters if who is not None]
        answers = self._server.ask(
            *(("HGET", self._keys.about(who[0]).name, log_index.rater_field(who)) for who in asked)
        )
        newest = dict(zip(asked, answers, strict=True))
        emptied = Counter[History]()
        for entry, who in zip(old, raters, strict=True):
            at = newest.get(who) if who is not None else None
            held = who is None or (at is not None and int(at) == entry.position)
            if who is not None and held:
                step.only_if(at, "HGET", self._keys.about(who[0]), log_index.rater_field(who))
            history = log_index.leave(step, self._keys, entry, in_force=held)
            if history is not None:
                emptied[history] += 1
        counts = self._server.ask(*(("ZCARD", self._keys.history(*history).name) for history in emptied))
        for (history, removed), count in zip(emptied.items(), counts, strict=True):
            if removed == count:
                step.only_if(count, "ZCARD", self._keys.history(*history))
                step.add("SREM", self._keys.rated(history[0]), log_index.rated_member(*history[1:]))

    def _history(self, history: History) -> list[Logged]:
        (members,) = self._server.ask(("ZRANGE", self._keys.history(*history).name, 0, -1))
        return log_index.entries(self._server, self._keys, members)

    def _snapshot(self, *names: str) -> tuple[Progress, list[layers.Rows]]:
        """The progress and some layers, of one moment."""
        asked = (progress.asked(self._keys), *(("HGETALL", self._keys.state(name).name) for name in names))
        ((answer, *rows),) = self._server.ask(self._server.together(*asked))
        return progress.read(answer), [log_index.as_pairs(row) for row in rows]

    def _progress(self) -> Progress:
        (answer,) = self._server.ask(progress.asked(self._keys))
        return progress.read(answer)

    def _step(self, now: Progress) -> Write:
        step = begin(self._keys, now)
        only_if_learned(step, self._keys, now)
        return step

    def _done(self, step: Write) -> bool | None:
        return None if self._server.commit(step) is None else True


def has_past(now: Progress, followed: str | None) -> bool:
    """Whether this log is the one that was followed, or more than a few events were ever done to it."""
    changed = now.generation > 0 and now.position > 0  # a doctor's visit to an empty one is no change
    return now.position > YOUNG_LOG or changed or (now.log != "" and now.log == followed)
