"""What the judges did and how far they can be trusted: figures of the log, and of this process."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from tiercel.core.judge_bias import graded_answers, judge_biases, share
from tiercel.core.statistics.fold import OVERALL, segment_model_key
from tiercel.core.statistics.sums import Sums
from tiercel.domain.catalogue import Catalogue
from tiercel.services.judging.judged_answers import JudgeCounts
from tiercel.services.judging.judging import JUDGE_CONTEXT
from tiercel.services.learning.learner import Learner

MAX_STAGES = 100
MAX_RATINGS = 1_000
"""How many of a stage's newest ratings are read."""


def judge_report(
    learner: Learner, catalogue: Catalogue, counts: JudgeCounts, stages: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """The judges' biases over the newest ratings of `stages` (workflow, stage), what judging cost, and `counts`.

    Reads `MAX_RATINGS` ratings of `MAX_STAGES` stages at most. Raises `StoreError` when the log cannot be read.
    """
    read = stages[:MAX_STAGES]
    histories = (learner.store.feedback_history(workflow, stage, None, MAX_RATINGS) for workflow, stage in read)
    ratings = list(chain.from_iterable(histories))
    spent = Sums()
    for model in catalogue:
        spent.merge(learner.knowledge.sums(segment_model_key(JUDGE_CONTEXT.segment, model.model_id)))
    overall = learner.knowledge.sums(OVERALL)
    replies = counts.graded + counts.unparsable
    return {
        "judges": [bias.to_dict() for bias in judge_biases(graded_answers(ratings))],
        "ratings_read": len(ratings),
        "stages_left_out": len(stages) - len(read),
        "calls": spent.requests,
        "cost_usd": spent.cost_usd if spent.costed else None,
        "cost_share": spent.cost_usd / overall.cost_usd if overall.costed and overall.cost_usd else None,
        "since_start": {
            "drawn": counts.drawn,
            "graded": counts.graded,
            "unanswered": counts.unanswered,
            "dropped": counts.dropped,
            "failed": counts.failed,
            "under_way": counts.under_way,
            "unparsable_share": share(counts.unparsable, replies).to_dict(),
        },
    }
