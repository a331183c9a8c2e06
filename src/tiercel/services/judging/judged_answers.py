"""Answers that a judge is to grade: kept as they pass to whoever asked, and what becomes of them, counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tiercel.core.chat_text import conversation_text, streamed_answer_text, whole_answer_text
from tiercel.core.grading import MAX_MATERIAL_BYTES, JudgeSettings, shortened
from tiercel.domain.events import Outcome
from tiercel.ports import ByteStream
from tiercel.services.calling.model_call import ModelCall

MAX_KEPT_BYTES = 16 * 1024 * 1024
"""A longer answer is not kept to be graded."""


@dataclass(slots=True)
class JudgeCounts:
    """What became of the answers whose coin fell so, since the process started. Thread-safe.

    `drawn` = `graded` + `unanswered` (no whole answer with a text was sent) + `dropped` (too many waiting, too many
    calls this minute, the store away, an answer too long, the end of the process) + `failed` (the judge's call failed,
    or none of its replies held a grade) + those under way. `unparsable` counts replies without a grade, each of them.
    """

    drawn: int = 0
    graded: int = 0
    unanswered: int = 0
    dropped: int = 0
    failed: int = 0
    unparsable: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, name: str) -> None:
        """Count one more."""
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)

    @property
    def under_way(self) -> int:
        """Answers not sent to their end yet, waiting for the judge, or being graded."""
        with self._lock:
            return self.drawn - self.graded - self.unanswered - self.dropped - self.failed


@dataclass(frozen=True, slots=True)
class GradingJob:
    """An answer that waits for its judge: what its call did, what was asked, and what was sent, as it was sent.

    `conversation` is no longer than any judge is shown; `shortened` says that it was.
    """

    outcome: Outcome
    judge: JudgeSettings
    conversation: str
    shortened: bool
    answer: bytes
    streaming: bool

    def text(self) -> str:
        """What the answer says."""
        return streamed_answer_text(self.answer) if self.streaming else whole_answer_text(self.answer)


class FollowedAnswer:
    """An answer's body on its way: kept while it passes, offered to the judge once when it has ended well."""

    __slots__ = (
        "_body",
        "_call",
        "_counts",
        "_ended",
        "_judge",
        "_kept",
        "_messages",
        "_offer",
        "_size",
        "_streaming",
    )

    def __init__(
        self,
        body: ByteStream,
        call: ModelCall,
        judge: JudgeSettings,
        messages: Sequence[object],
        *,
        streaming: bool,
        counts: JudgeCounts,
        offer: Callable[[GradingJob], None],
    ) -> None:
        self._body = body
        self._call = call
        self._judge = judge
        self._messages = messages
        self._counts = counts
        self._offer = offer
        self._streaming = streaming
        self._kept: list[bytes] = []
        self._size = 0
        self._ended = False

    def __aiter__(self) -> FollowedAnswer:
        return self

    async def __anext__(self) -> bytes:
        chunk = b""
        try:
            chunk = await anext(self._body)
        finally:
            if not chunk:
                self._end()
        self._size += len(chunk)
        if self._size <= MAX_KEPT_BYTES:
            self._kept.append(chunk)
        else:
            self._kept.clear()
        return chunk

    async def aclose(self) -> None:
        """End the call behind it, if it has not ended."""
        try:
            await self._body.aclose()
        finally:
            self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        outcome = self._call.outcome
        if outcome is None or not outcome.success or outcome.error:
            self._counts.add("unanswered")
        elif self._size > MAX_KEPT_BYTES:
            self._counts.add("dropped")
        else:
            conversation, less = shortened(conversation_text(self._messages), MAX_MATERIAL_BYTES)
            answer = b"".join(self._kept)
            self._offer(GradingJob(outcome, self._judge, conversation, less, answer, self._streaming))
        self._kept.clear()
