"""`tiercel policies`."""

from __future__ import annotations

from tiercel import bootstrap
from tiercel.apps.cli.output import JsonOption, print_json, print_table
from tiercel.apps.cli.program import new_program
from tiercel.config.settings import DEFAULT_POLICY

program = new_program()


@program.command()
def policies(*, as_json: JsonOption = False) -> None:
    """The policies a route can name."""
    known = [policy for policy, _ in bootstrap.POLICIES.values()]
    if as_json:
        print_json(
            [
                {"name": p.name, "version": p.version, "summary": p.summary, "default": p.name == DEFAULT_POLICY}
                for p in known
            ]
        )
        return
    marks = {DEFAULT_POLICY: " (the default)"}
    print_table(
        ["policy", "version", "what it does"], [(p.name, p.version, p.summary + marks.get(p.name, "")) for p in known]
    )
