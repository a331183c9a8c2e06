"""The replays of a study, on as many processor cores as there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from tiercel.domain.errors import TiercelError

Job = TypeVar("Job")
Figures = TypeVar("Figures")
Job_contra = TypeVar("Job_contra", contravariant=True)
Figures_co = TypeVar("Figures_co", covariant=True)


class Work(Protocol[Job_contra, Figures_co]):
    """What can be sent to another process and do jobs there."""

    def run(self, job: Job_contra) -> Figures_co:
        """One job."""
        ...


_work: list[Work[Any, Any]] = []
"""In a worker: what it works on. It is sent once, not with every job."""


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(work: Work[Job, Figures], jobs: list[Job], workers: int) -> Iterator[tuple[Job, Figures]]:
    """Every job with its figures, in the order in which they are done.

    With one worker, or one job, in this process. Raises `TiercelError` where a worker dies.
    """
    workers = min(workers, len(jobs))
    if workers < 2:
        for job in jobs:
            yield job, work.run(job)
        return
    # spawned: a process with threads, as one that shows its progress, must not be forked
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (work,)) as pool:
        running: dict[Future[Figures], Job] = {pool.submit(_run, job): job for job in jobs}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BrokenProcessPool as error:
            raise TiercelError("a process of the evaluation died, perhaps for want of memory: try --jobs 1") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(work: Work[Any, Any]) -> None:
    # Ctrl-C goes to all processes: the first one stops the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work.append(work)


def _run(job: Any) -> Any:  # noqa: ANN401 - whatever the work does
    return _work[0].run(job)
