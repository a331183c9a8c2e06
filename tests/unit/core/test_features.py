"""What is read from a request never changes under the name of a basis, and is bounded whatever the text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiercel.core.features import MAX_READ, Basis
from tiercel.domain.request import RequestContext

PLAIN = Basis()


def vector_of(prompt: str) -> tuple[float, ...]:
    return PLAIN.read(RequestContext(workflow="w", stage="s", prompt=prompt))


@pytest.mark.parametrize(
    ("prompt", "vector"),
    [
        ("", (0.0, -3.0, -3.0, -3.0, -1.25, -0.8, -1.0, -1.2, -0.3333)),
        ("Hello", (0.0, -3.0, 0.375, -2.0, -1.25, -0.8, 3.0, -1.2, -0.3333)),
        ("What is 2 + 2?", (24.0, -3.0, -3.0, 0.2222, 0.1233, 3.0, 0.6667, -0.7606, -0.3333)),
        (
            "Which of these?\nA) one\nB) two\nC) three",
            (3.0, -2.2955, -1.7083, 0.6667, -1.25, -0.8, 0.0, -1.2, -0.3333),
        ),
        (
            "Sum 1,234.5 and 99.25, then 7.",
            (8.0, -2.5825, -0.6667, 0.381, 0.4829, 3.0, 0.4286, 1.6477, 3.0),
        ),
        ("[INST] Translate 'Guten Tag' [/INST]", (32.0, -2.3614, 2.125, 0.2222, -1.25, -0.8, 3.0, -1.2, -0.3333)),
        (
            "```python\nprint(10**6)\n```\nWhy does this fail?",
            (90.0, -2.0623, 1.2679, 0.5, 0.1233, 1.7532, 0.25, -0.2408, -0.3333),
        ),
        ("Überprüfe die Größe: ٣٤٥ Äpfel", (8.0, -2.5825, 0.625, 0.2222, -0.3836, 3.0, 0.6667, 1.1386, -0.3333)),
        ("第1章 人工知能とは何か?", (24.0, -3.0, 1.625, -0.8889, -0.3836, 2.0571, -1.0, -0.9227, -0.3333)),
        (
            "\n".join(f"Line {i}" for i in range(30)),
            (14.0, -0.0774, -2.3333, -1.9454, 3.0, 3.0, 3.0, 0.1605, -0.3333),
        ),
        ("word " * 4000 + "END 5", (8.0, 3.0, -0.8781, -3.0, -0.3836, -0.795, -1.0, -0.4833, -0.3333)),
        (
            "9" * 400 + " and " + "1" * 300 + ".5",
            (8.0, 1.3281, 3.0, -0.3333, 0.1233, 3.0, -1.0, 3.0, 1.9772),
        ),
        ("\ud800 lone", (0.0, -3.0, -2.75, -0.8889, -1.25, -0.8, -1.0, -1.2, -0.3333)),
        ("1e999 inf nan", (8.0, -3.0, -1.2917, -0.3333, 0.1233, 3.0, -1.0, 1.5631, -0.3333)),
    ],
)
def test_the_basis_text_1_is_frozen(prompt: str, vector: tuple[float, ...]) -> None:
    """What was learned of these figures is on users' disks: other figures need another name."""
    assert PLAIN.name == "text-1"
    assert vector_of(prompt) == vector


@given(st.text() | st.text(st.characters(categories=("Nd", "No", "Zs", "Po", "Cs")), max_size=60))
@example("1" * 9_000)
@example("1," * 5_000 + "1.1")
@example("٣" * 500)
@example("²½Ⅷ")  # numbers that are no digits
def test_any_text_has_bounded_figures_and_always_the_same(text: str) -> None:
    vector = vector_of(text)
    assert vector == vector_of(text)
    assert len(vector) == len(PLAIN.figures) == 9
    assert vector[0] == int(vector[0])
    assert 0 <= vector[0] < 2**10
    assert all(math.isfinite(value) and abs(value) <= 3.0 for value in vector[1:])


def test_of_a_long_prompt_the_beginning_and_the_end_are_read_and_its_whole_length() -> None:
    long, longer = ("Explain. " + "x" * middle + " Why?" for middle in (MAX_READ * 2, MAX_READ * 2 + 7))
    assert vector_of(long)[2:] == vector_of(longer)[2:]
    kept = "A" * (MAX_READ // 2)
    assert vector_of(kept + "7" * 100 + kept) == (0.0, *vector_of(kept + "b" * 100 + kept)[1:])
    # the log of the length is bounded as well; below the bound the whole counts, not only what is read
    assert vector_of("y" * 500)[1] < vector_of("y" * 700)[1]


@pytest.mark.parametrize(
    ("bit", "request_"),
    [
        (1, RequestContext(prompt="Choose:\n(B) no")),
        (1 << 3, RequestContext(prompt="room 7")),
        (1 << 4, RequestContext(prompt="so? \n")),
        (1 << 5, RequestContext(prompt="[x]")),
        (1 << 6, RequestContext(prompt="```x```")),
        (1 << 7, RequestContext(prompt="x", tools=1)),
        (1 << 8, RequestContext(prompt="x", messages=3)),
        (1 << 9, RequestContext(prompt="x", structured=True)),
    ],
)
def test_how_a_request_is_built_is_its_shape(bit: int, request_: RequestContext) -> None:
    assert int(PLAIN.read(request_)[0]) == bit


@pytest.mark.parametrize(("newlines", "bits"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (9, 2), (11, 3), (1_000, 3)])
def test_lines_are_counted_in_four_classes(newlines: int, bits: int) -> None:
    shape = int(vector_of("x\n" * newlines)[0])
    assert (shape >> 1 & 1) + 2 * (shape >> 2 & 1) == bits


def test_what_the_caller_measured_follows_and_what_is_no_number_is_nothing() -> None:
    basis = Basis(given=("urgency", "age", "mood"))
    assert basis.name == 'text-1+["urgency", "age", "mood"]'
    assert basis.figures[-3:] == ("urgency", "age", "mood")
    for urgency, said in ((0.123456, 0.1235), (7.0, 3.0), (-9.0, -3.0)):
        for broken in (math.nan, math.inf, -math.inf):
            read = basis.read(RequestContext(prompt="x", features={"urgency": urgency, "age": broken, "other": 1.0}))
            assert read == (*vector_of("x"), said, 0.0, 0.0)


def test_an_embedding_gives_its_first_dimensions() -> None:
    asked: list[str] = []

    def embed(text: str) -> Sequence[float]:
        asked.append(text)
        return [0.5, -7.0, math.nan, 1.0]

    basis = Basis(embedding="e-1", dimensions=3, embed=embed)
    assert basis.name == "text-1+e-1:3"
    assert basis.figures[-3:] == ("embedding_0", "embedding_1", "embedding_2")
    read = basis.read(RequestContext(prompt="z" * (MAX_READ + 5)))
    assert read[-3:] == (0.5, -3.0, 0.0)
    assert len(read) == len(basis.figures)
    assert [len(text) for text in asked] == [MAX_READ]


def test_bases_that_read_otherwise_have_other_names() -> None:
    bases = [
        Basis(),
        Basis(given=("a",)),
        Basis(given=("a", "b")),
        Basis(given=("b", "a")),
        Basis(embedding="e", dimensions=2),
        Basis(embedding="e", dimensions=3),
        Basis(embedding="f", dimensions=3),
        Basis(given=("a",), embedding="e", dimensions=3),
    ]
    assert len({basis.name for basis in bases}) == len(bases)
