"""docs/export.md names every column of every table, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from tiercel.adapters.parquet_log.tables import SCHEMAS

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def test_every_column_is_named() -> None:
    page = PAGE.partition("## Columns")[2].partition("\n## ")[0]
    found = {}
    for section in re.split(r"\n(?=\| `\w+` \| .*\n\|---|\| `\w+` \|\s*\|\n\|---)", page)[1:]:
        header, _, *lines = [line for line in section.splitlines() if line.startswith("|")]
        found[header.split("`")[1]] = {name for line in lines for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert found == {table: set(schema.names) - {"position"} for table, schema in SCHEMAS.items()}


def test_the_members_of_a_candidate_and_a_label_are_named() -> None:
    decisions, outcomes = SCHEMAS["decisions"], SCHEMAS["outcomes"]
    for struct in (decisions.field("candidates").type.value_type, outcomes.field("label").type):
        assert pa.types.is_struct(struct)
        assert "{" + ", ".join(f"`{member.name}`" for member in struct) + "}" in PAGE
