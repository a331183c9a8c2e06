"""`tiercel doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from tiercel.apps.cli.checkup import FAIL, OK, WARN, check_up
from tiercel.apps.cli.choice import ConfigOption, StoreOption, found_config
from tiercel.apps.cli.output import JsonOption, note, print_json, print_table, working
from tiercel.apps.cli.program import new_program

program = new_program()

_STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}


@program.command()
def doctor(*, config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check the machine, the configuration and the store.

    Each finding says what to do about it. Exit code 1 if one of them would keep tiercel from working.
    """
    with working("checking"):
        findings = list(check_up(found_config(config), store))
    failed = sum(finding.status == FAIL for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    else:
        rows = [(Text(f.status, _STYLES[f.status]), f.check, f.found, f.remedy) for f in findings]
        print_table(("", "check", "found", "what to do"), rows)
    if failed:
        note(f"{failed} of {len(findings)} checks failed")
        raise typer.Exit(1)
