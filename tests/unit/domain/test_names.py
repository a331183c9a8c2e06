from __future__ import annotations

import pytest

from tiercel.domain.names import MAX_NAMES, names_problems


@pytest.mark.parametrize("names", [[], ["a"], ("coding", "\u00fc"), ["a"] * MAX_NAMES])
def test_names(names: object) -> None:
    assert names_problems("requires", names) == []


@pytest.mark.parametrize(
    ("names", "path", "kind"),
    [
        (["a"] * (MAX_NAMES + 1), "requires", "range"),
        ("coding", "requires", "type"),
        (None, "requires", "type"),
        (["a", 7], "requires[1]", "type"),
        (["a", ""], "requires[1]", "range"),
    ],
)
def test_what_is_wrong_with_names(names: object, path: str, kind: str) -> None:
    assert [(problem.path, problem.kind) for problem in names_problems("requires", names)] == [(path, kind)]
