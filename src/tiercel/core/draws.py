"""Where the uniform numbers come from that decisions are drawn with."""

from __future__ import annotations

import random
from collections.abc import Callable

Uniform = Callable[[str], float]
"""From a request's own id to a number in [0, 1)."""


def unseeded(generator: random.Random) -> Uniform:
    """Numbers from `generator`, whatever the request."""

    def uniform(_: str) -> float:
        return generator.random()

    return uniform


def seeded(seed: int) -> Uniform:
    """The same number for the same request id and seed, in whatever order requests arrive.

    Requests without an id share the key "" and are numbered instead.
    """
    anonymous = random.Random(seed)  # noqa: S311 - reproducible draws are the purpose

    def uniform(request_id: str) -> float:
        if not request_id:
            return anonymous.random()
        return random.Random(f"{seed}/{request_id}").random()  # noqa: S311

    return uniform
