"""A static embedding is told apart by its weights; what is missing is said."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tiercel.adapters.static_embedding import StaticEmbedding
from tiercel.domain.errors import InvalidInput


class Row(list[float]):
    """As much of an array as the adapter uses."""

    def __mul__(self, factor: Any) -> Row:  # noqa: ANN401 - the list's own signature is another
        return Row(value * factor for value in self)

    def tolist(self) -> list[float]:
        """A plain list."""
        return list(self)


class Model:
    """Stands for model2vec's: the length of the text, and how many there were."""

    def encode(self, texts: list[str]) -> list[Row]:
        """One vector for each text."""
        return [Row([0.01 * len(text), 0.1 * len(texts)]) for text in texts]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    asked: list[str] = []

    def from_pretrained(path: str, **_: object) -> Model:
        asked.append(path)
        return Model()

    module = ModuleType("model2vec")
    module.__dict__["StaticModel"] = SimpleNamespace(from_pretrained=from_pretrained)
    monkeypatch.setitem(sys.modules, "model2vec", module)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_a_text_s_vector_has_the_scale_of_the_other_figures(folder: Path) -> None:
    assert list(StaticEmbedding(folder)("12345")) == pytest.approx([0.5, 1.0])


def test_other_weights_are_another_basis(folder: Path) -> None:
    name = StaticEmbedding(folder).name
    assert name.startswith(f"{folder.name}-")
    assert StaticEmbedding(folder).name == name
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert StaticEmbedding(folder).name != name


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"has no model\.safetensors"):
        StaticEmbedding(tmp_path)


def test_without_the_extra_it_says_which(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model2vec", None)
    with pytest.raises(InvalidInput, match=r"tiercel\[embedding\]"):
        StaticEmbedding(folder)
