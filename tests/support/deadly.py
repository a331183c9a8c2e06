"""A study that kills the process that works on it."""

from __future__ import annotations

import os
from typing import NoReturn

from tiercel.apps.evaluation.study import Job, Study


class DeadlyStudy(Study):
    """As a process ends that the system stops for want of memory."""

    def run(self, job: Job) -> NoReturn:  # noqa: ARG002 - the name it has in what it stands for
        os._exit(9)
