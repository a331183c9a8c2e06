"""From a request to its features: a shape and some figures, in a frozen, versioned basis.

    vector = (shape, figure, figure, ...)

The shape is a number for how the request is built: whether it offers options, how long it runs, whether it has numbers,
how it ends, whether it brings tools or a conversation. Prompts made from one template have one shape, so shapes find
the kinds of requests that nobody named. The figures are statistics of the text that cost a few microseconds; then what
the caller measured himself; then, where a folder with a static embedding is given, its first dimensions.

A basis never changes under its name: what was learned of one is never mixed with another. Centres and scales are round
numbers of the order found in public prompts (they make the figures comparable and hold no information of their own).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tiercel.domain.request import RequestContext

Embedding = Callable[[str], Sequence[float]]
"""From a text to a vector of a fixed length, each figure of about unit variance."""

MAX_READ = 8_000
"""Characters of a prompt that are read: half from its beginning, half from its end."""
_LIMIT = 3.0
_OPTION = re.compile(r"(?:^|\s)\(?[A-H][).:]\s|Option \d")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CAPITALISED = re.compile(r"[A-Z][a-z]")

_TEXT: tuple[tuple[str, float, float], ...] = (
    ("log_length", 5.5, 0.8),
    ("word_length", 4.7, 0.8),
    ("distinct_words", 0.8, 0.15),
    ("log_numbers", 1.0, 0.8),
    ("digit_share", 0.02, 0.025),
    ("capitalised_share", 0.1, 0.1),
    ("log_largest_number", 3.0, 2.5),
    ("log_decimals", 0.1, 0.3),
)
"""Name, centre and scale of each text statistic."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What is read from a request. `given` names figures of `RequestContext.features`, expected around 0 within +-3.

    `embed` and its `embedding` name (with a version) go together; `dimensions` of it are used.
    """

    given: tuple[str, ...] = ()
    embedding: str = ""
    dimensions: int = 0
    embed: Embedding | None = None

    @property
    def name(self) -> str:
        """The basis and its version, which vectors and what is learned of them carry."""
        own = f"+{json.dumps(self.given)}" if self.given else ""
        return "text-1" + own + (f"+{self.embedding}:{self.dimensions}" if self.embedding else "")

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the vector's entries."""
        embedded = tuple(f"embedding_{i}" for i in range(self.dimensions))
        return ("shape", *(name for name, _, _ in _TEXT), *self.given, *embedded)

    def read(self, request: RequestContext) -> tuple[float, ...]:
        """The request's vector; about 20 us for a thousand characters, plus what an embedding takes."""
        text = request.prompt
        if len(text) > MAX_READ:
            text = text[: MAX_READ // 2] + text[-MAX_READ // 2 :]
        numbers = _NUMBER.findall(text)
        vector = [float(_shape(text, numbers, request)), *_figures(text, numbers, len(request.prompt))]
        vector += [_bounded(_number(request.features.get(name))) for name in self.given]
        if self.embed is not None:
            vector += [_bounded(value) for value in self.embed(text)[: self.dimensions]]
        return tuple(vector)


def _shape(text: str, numbers: Sequence[str], request: RequestContext) -> int:
    """Seven bits of the text and three of the request around it."""
    lines = min(3, int(math.log1p(text.count("\n")) / 0.8))
    bits = (
        _OPTION.search(text) is not None,
        lines & 1,
        lines & 2,
        bool(numbers),
        text.rstrip().endswith("?"),
        text.startswith("["),
        "```" in text,
        request.tools > 0,
        request.messages > 2,
        request.structured,
    )
    return sum([1 << i for i, bit in enumerate(bits) if bit])


def _figures(text: str, numbers: Sequence[str], length: int) -> list[float]:
    words = text.split()
    per_word = 1.0 / (len(words) + 1)
    per_character = 1.0 / (len(text) + 1)
    digits = "".join(numbers).replace(",", "")
    largest = max(map(float, " ".join(numbers).replace(",", "").split())) if numbers else 0.0
    raw = (
        math.log1p(length),
        len("".join(words)) / len(words) if words else 0.0,
        len(set(words)) * per_word,
        math.log1p(len(numbers)),
        len(digits) * per_character,
        len(_CAPITALISED.findall(text)) * per_word,
        math.log1p(min(largest, 1e9)),
        math.log1p(digits.count(".")),
    )
    return [
        round(min(max((value - centre) / scale, -_LIMIT), _LIMIT), 4)
        for value, (_, centre, scale) in zip(raw, _TEXT, strict=True)
    ]


def _number(value: object) -> float:
    """What a caller sent as a figure; 0 for what is none."""
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return 0.0


def _bounded(value: float) -> float:
    """Within +-3, to four digits: an outlier must not outweigh a hundred ordinary requests."""
    if not math.isfinite(value):
        return 0.0
    return round(min(max(value, -_LIMIT), _LIMIT), 4)
