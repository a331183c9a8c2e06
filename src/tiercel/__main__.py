"""`python -m tiercel` is `tiercel`."""

from tiercel.apps.cli.main import run

run()
