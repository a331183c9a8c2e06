"""Which log a command reads, and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tiercel import bootstrap
from tiercel.adapters.parquet_log import read_events
from tiercel.apps.cli.choice import store_that_lasts
from tiercel.apps.cli.output import console
from tiercel.config.urls import store_url_problem, without_password
from tiercel.domain.errors import InvalidInput
from tiercel.domain.events import Event
from tiercel.services.valuing.logged_history import log_events


def chosen_log(name: str, log: str) -> tuple[str, Callable[[], Iterator[Event]]]:
    """What `log` is called, and its events: a store's address, the file of a SQLite store, or an export's folder.

    It is there: reading must not make a store. Raises `InvalidInput` about `name`.
    """
    folder = Path(log)
    if "://" not in log and folder.is_dir():
        return log, lambda: read_events(folder)
    url = log if "://" in log else f"sqlite:///{log}"
    # the address of the environment, which may hold a password, comes through here as well
    problem = store_url_problem(name, url, secret=True)
    if problem is not None:
        raise InvalidInput([problem])
    return without_password(url), lambda: _events_at(store_that_lasts(name, url))


def _events_at(url: str) -> Iterator[Event]:
    with closing(bootstrap.open_store(url)) as store:
        yield from log_events(store)


@contextmanager
def log_progress(what: str, now: datetime) -> Iterator[Callable[[int, datetime], None]]:
    """A bar on stderr, if someone is looking: how far in time a log was read, which ends about now."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[seen]}"), TimeRemainingColumn())
    shown = console(sys.stderr)
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        bar = progress.add_task(what, total=None, seen="")
        begun: datetime | None = None

        def say(events: int, at: datetime) -> None:
            nonlocal begun
            begun = begun or at
            total_s = max((now - begun).total_seconds(), 1.0)
            seen = f"{events:,} events, up to {at:%Y-%m-%d %H:%M}"
            progress.update(bar, total=total_s, completed=(at - begun).total_seconds(), seen=seen)

        yield say
