"""A route's judge at work: answers whose coin fell so are graded by a model, in the background.

    Completions.open -> Judging.follow: the answer passes on and is kept -> it ended well -> waiting -> judge called
                                                                                       -> Feedback of the decision

Nobody waits for a grade. A judge's call is a requested decision of its own segment: measured and paid like any other,
never judged and never answered by another model. What is not graded is counted, by why; its decision keeps
`will_judge` and has no label.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tiercel.core.chat_text import whole_answer_text
from tiercel.core.grading import (
    BEST_GRADE,
    GradingPrompt,
    JudgeSettings,
    grading_prompt,
    material_bytes,
    read_grade,
    rubric_hash,
)
from tiercel.domain.decision import Decision
from tiercel.domain.errors import ProviderProtocolError, StoreError, TiercelError
from tiercel.domain.request import RequestContext
from tiercel.ports import ByteStream, Provider
from tiercel.services.calling.in_flight import InFlight
from tiercel.services.calling.model_call import Begun, ModelCall
from tiercel.services.deciding.router import Router
from tiercel.services.judging.judged_answers import MAX_KEPT_BYTES, FollowedAnswer, GradingJob, JudgeCounts
from tiercel.services.rating.intake import FeedbackIntake, FeedbackRequest

log = logging.getLogger("tiercel.judging")

JUDGE_CONTEXT = RequestContext(workflow="tiercel", stage="judge")
"""What calls to judges count under."""
ATTEMPTS = 2
"""How often a judge is asked for one grade."""
TIMEOUT_S = 60.0
"""How long a judge may take for a reply, at most."""
_MINUTE_S = 60.0
_FAREWELL_S = 1.0


@dataclass(frozen=True, slots=True)
class JudgingSettings:
    """At most `max_waiting` answers of `max_waiting_bytes` wait, and `max_calls` are graded at once."""

    max_waiting: int = 100
    max_waiting_bytes: int = 4 * MAX_KEPT_BYTES
    max_calls: int = 4


class Judging:
    """Grades in the event loop in which an answer ended, whichever that is. Thread-safe; `close` drops what waits."""

    def __init__(
        self,
        router: Router,
        providers: Mapping[str, Provider],
        intake: FeedbackIntake,
        *,
        counts: JudgeCounts | None = None,
        timeout_s: float = TIMEOUT_S,
        settings: JudgingSettings | None = None,
    ) -> None:
        self._timeout_s = min(timeout_s, TIMEOUT_S)
        self._router = router
        self._providers = providers
        self._intake = intake
        self.counts = counts or JudgeCounts()
        self.in_flight = InFlight()
        self._settings = settings or JudgingSettings()
        self._lock = threading.Lock()
        self._waiting: deque[GradingJob] = deque()
        self._waiting_bytes = 0
        self._working: set[asyncio.Task[None]] = set()
        self._called_at_s: dict[int, deque[float]] = {}
        self._closed = False

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """The call of a decision whose coin fell for the judge; it is unanswered if this ends in an error."""
        self.counts.add("drawn")
        try:
            yield
        except BaseException:  # whatever it is goes on: a client who left, a server that ends, no model that answers
            self.counts.add("unanswered")
            raise

    def follow(
        self, body: ByteStream, call: ModelCall, judge: JudgeSettings, messages: Sequence[object], *, streaming: bool
    ) -> ByteStream:
        """The answer of `call` to `messages`, passed on as it comes; once it has ended well, it waits to be graded."""
        return FollowedAnswer(body, call, judge, messages, streaming=streaming, counts=self.counts, offer=self.offer)

    def offer(self, job: GradingJob) -> None:
        """Let an answer be graded soon, or drop it and count that. Call it where an event loop runs."""
        settings = self._settings
        with self._lock:
            kept = not (
                self._closed
                or self._router.learner.degraded
                or len(self._waiting) >= settings.max_waiting
                or self._waiting_bytes + len(job.answer) > settings.max_waiting_bytes
            )
            if kept:
                self._waiting.append(job)
                self._waiting_bytes += len(job.answer)
        if not kept:
            self.counts.add("dropped")
        elif len(self._working) < settings.max_calls:
            self._working.add(asyncio.get_running_loop().create_task(self._work()))

    async def close(self) -> None:
        """Drop what waits and end the calls under way, without waiting for a judge; idempotent. Any loop will do."""
        self._closed = True
        while self._next() is not None:
            self.counts.add("dropped")
        here = asyncio.get_running_loop()
        mine = []
        for task in tuple(self._working):
            if task.get_loop() is here:
                task.cancel()
                mine.append(task)
            else:
                with suppress(RuntimeError):  # its loop has ended, and the task with it
                    task.get_loop().call_soon_threadsafe(task.cancel)
        if mine:
            await asyncio.wait(mine, timeout=_FAREWELL_S)

    def _next(self) -> GradingJob | None:
        with self._lock:
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            self._waiting_bytes -= len(job.answer)
            return job

    async def _work(self) -> None:
        try:
            while job := self._next():
                decision_id = job.outcome.decision_id
                told = {"decision_id": decision_id}
                fate = "dropped"  # where the process or the loop ends before there is a grade
                try:
                    fate = await self._grade(job)
                except StoreError as error:
                    log.warning("the grade of decision %s was not kept: %s", decision_id, error, extra=told)
                except TiercelError as error:
                    fate = "failed"
                    log.warning("decision %s could not be graded: %s", decision_id, error, extra=told)
                except Exception:
                    fate = "failed"
                    # a fault of ours in one grading must not end those that follow, and nobody waits to be told
                    log.exception("grading failed by a fault of tiercel")
                finally:
                    self.counts.add(fate)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._working.discard(task)

    async def _grade(self, job: GradingJob) -> str:
        """Ask for a grade and log it; what became of it, as in `JudgeCounts`."""
        # threads: a long answer takes a while to be read, and a decision made long ago to be looked up in the store
        prompt = await asyncio.to_thread(self._prompt, job)
        if prompt is None:
            return "unanswered"
        for attempt in range(ATTEMPTS):
            if not self._may_call(job.judge):
                return "failed" if attempt else "dropped"
            decision, reply = await self._ask(job.judge, prompt.text)
            if reply is None:
                return "failed"
            try:
                grade = read_grade(reply)
            except ProviderProtocolError:
                self.counts.add("unparsable")
            else:
                rating = _rating(job, grade, decision, shortened=prompt.shortened)
                await asyncio.to_thread(self._intake.send, [rating])
                return "graded"
        return "failed"

    def _prompt(self, job: GradingJob) -> GradingPrompt | None:
        """What the judge is asked; None where the answer says nothing."""
        answer = job.text()
        if not answer.strip():
            return None
        model = self._router.catalogue.get(job.judge.model)
        room = material_bytes(model.context_length if model else 0, job.judge.rubric)
        return grading_prompt(job.conversation, answer, job.judge.rubric, max_bytes=room)

    async def _ask(self, judge: JudgeSettings, prompt: str) -> tuple[Decision, str | None]:
        """The decision that is the call to the judge, and the judge's reply, None where the call failed."""
        decision = self._router.requested(judge.model, JUDGE_CONTEXT)
        model = self._router.catalogue[judge.model]
        call = ModelCall(self._router, decision, model, fallback_from="", prompt_tokens=0, in_flight=self.in_flight)
        provider = self._providers.get(model.provider)
        if provider is None:
            call.failed("no_provider")
            return decision, None
        body = {**judge.options, "messages": [{"role": "user", "content": prompt}]}
        begun = await call.begin(provider, body, self._timeout_s)
        if not isinstance(begun, Begun) or begun.status >= 400:
            return decision, None
        return decision, whole_answer_text(b"".join([chunk async for chunk in begun.body]))

    def _may_call(self, judge: JudgeSettings) -> bool:
        """Whether another call keeps within the judge's calls per minute; then it is counted."""
        if judge.max_calls_per_minute is None:
            return True
        now_s = self._router.learner.clock.monotonic_s()
        # settings live as long as their route, and two routes may have the same judge at different paces
        called = self._called_at_s.setdefault(id(judge), deque(maxlen=judge.max_calls_per_minute))
        if len(called) == called.maxlen and now_s - called[0] < _MINUTE_S:
            return False
        called.append(now_s)
        return True


def _rating(job: GradingJob, grade: float, judged_by: Decision, *, shortened: bool) -> FeedbackRequest:
    return FeedbackRequest(
        quality=grade / BEST_GRADE,
        decision_id=job.outcome.decision_id,
        source=job.judge.source,
        metadata={
            "judge_decision_id": judged_by.id,
            "grade": grade,
            "rubric": rubric_hash(job.judge.rubric),
            "shortened": job.shortened or shortened,
            "completion_tokens": job.outcome.completion_tokens,
        },
    )
