"""A static embedding from a local folder in the model2vec format: token vectors, averaged. Needs [embedding]."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tiercel.domain.errors import InvalidInput, Problem

_UNIT = 10.0
"""Vectors come with length 1: times this, a figure has about the scale of the text statistics."""


class StaticEmbedding:
    """From a text to its vector; `name` holds a hash of the weights, so that another model is another basis.

    Raises `InvalidInput` for a folder without a model, or where the extra is not installed.
    """

    def __init__(self, folder: Path) -> None:
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise InvalidInput([Problem("embedding", "has no model.safetensors: not a model2vec folder", str(folder))])
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        self.name = f"{folder.name}-{digest}"
        self._model: Any = _model2vec().StaticModel.from_pretrained(str(folder), force_download=False)

    def __call__(self, text: str) -> Sequence[float]:
        """The text's vector."""
        vector: list[float] = (self._model.encode([text])[0] * _UNIT).tolist()
        return vector


def _model2vec() -> Any:  # noqa: ANN401 - a module
    try:
        # only where a route asks for an embedding: it brings numpy and a tokenizer
        return import_module("model2vec")
    except ImportError as error:
        said = "needs the extra [embedding]: pip install 'tiercel[embedding]'"
        raise InvalidInput([Problem("embedding", said, str(error))]) from error
