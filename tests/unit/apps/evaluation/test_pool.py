from __future__ import annotations

from pathlib import Path

import pytest

from support.deadly import DeadlyStudy
from support.outcomes import noisy
from tiercel.apps.evaluation.pool import run_jobs, usable_cores
from tiercel.apps.evaluation.study import EvaluationSettings, Job, Mode, Study, features_of
from tiercel.core.replay.books import Terms
from tiercel.domain.errors import TiercelError

TABLE = noisy(30, [0.4, 0.9], [0.1, 0.2])
SETTINGS = EvaluationSettings(
    file=Path("t.csv"), policies=("random", "fixed"), repeats=2, frontier=2, mode=Mode(target_quality=0.8)
)
STUDY = Study(SETTINGS, TABLE, None, Terms())


def test_every_policy_runs_in_its_mode_and_at_every_budget_as_often_as_asked() -> None:
    jobs = STUDY.jobs()
    assert len(jobs) == len(set(jobs)) == 2 * (1 + 2) * 2
    assert STUDY.mode_of(Job("random", None, 0)) == Mode(target_quality=0.8)
    assert STUDY.mode_of(Job("random", 0.15, 0)) == Mode(budget_usd=0.15)


def test_every_job_has_a_fresh_policy() -> None:
    job = Job("random", None, 0)
    assert STUDY.policy_of(job) is not STUDY.policy_of(job)
    assert features_of(STUDY.policy_of(job)) is None


def test_one_process_and_several_do_the_same() -> None:
    jobs = [Job("random", None, repeat) for repeat in range(3)]
    alone, shared = ({job: run.whole for job, run in run_jobs(STUDY, jobs, n)} for n in (1, 2))
    assert alone == shared
    assert set(alone) == set(jobs)


def test_a_process_that_dies_is_an_error_and_no_endless_wait() -> None:
    deadly = DeadlyStudy(SETTINGS, TABLE, None, Terms())
    with pytest.raises(TiercelError, match="a process of the evaluation died"):
        list(run_jobs(deadly, deadly.jobs(), 2))


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1
