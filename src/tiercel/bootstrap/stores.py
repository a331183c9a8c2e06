"""Stores by their URLs, and the way into them."""

from __future__ import annotations

import logging
import random

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.sqlite_store import SqliteOutbox, SqliteStore
from tiercel.adapters.sqlite_store.outbox import outboxes_of_others
from tiercel.config.settings import Settings, StoreSettings
from tiercel.config.urls import outbox_file, store_file, store_url_problem
from tiercel.core.server_address import on_servers
from tiercel.domain.errors import InvalidInput, MissingDependency
from tiercel.ports import Clock, Outbox, Store
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner

log = logging.getLogger("tiercel.outbox")

SYSTEM_CLOCK = SystemClock()
SHARED_IDLE_S = 0.4
"""How often the end of a log is looked at that other machines write to: so that all know the same within a second."""


def open_store(url: str) -> Store:
    """The store at `url`, in one of the forms of config/urls.py.

    Raises `InvalidInput` for another scheme, `MissingDependency` where its client is not installed, `StoreError` when
    the file cannot be used. A server is first spoken to when the store is used.
    """
    problem = store_url_problem("store.url", url, secret=True)
    if problem is not None:
        raise InvalidInput([problem])
    if on_servers(url):
        return _redis_store(url)
    file = store_file(url)
    return MemoryStore() if file is None else SqliteStore(file)


def _redis_store(url: str) -> Store:
    try:
        # an extra that takes longer to import than tiercel: only those who name such a store need it
        from tiercel.adapters.redis_store import RedisStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "redis":
            raise
        raise MissingDependency("redis", "redis", "a store redis://") from error
    return RedisStore(url)


def build_learner(store: Store, settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> Learner:
    """The way into `store`, with the state it holds already learned, or learned once it is back."""
    return Learner(
        store,
        clock=clock,
        retention_s=settings.store.retention_s,
        trusted_sources=settings.trusted_sources,
        outbox=build_outbox(store, settings.store),
        settings=CommitSettings(idle_s=SHARED_IDLE_S) if on_servers(store.url) else None,
        jitter=jitter,
    )


def build_outbox(store: Store, settings: StoreSettings, *, of: str = "") -> Outbox | None:
    """What keeps events while `store` is away, and what such a one kept before; None where memory must do."""
    file = outbox_file(url=store.url, outbox=settings.outbox, of=of)
    if file is None:
        return None
    for other in outboxes_of_others(file) if settings.outbox is True else ():
        log.warning(
            "%s holds what a store at another address has not got; if that is this store, name the file once in"
            " [store] outbox to have it delivered",
            other,
        )
    return SqliteOutbox(file, limit=settings.outbox_max_events)


def jitter() -> float:
    """Chance for retries, which many processes are not to make at the same moment."""
    return random.random()  # noqa: S311 - nothing secret
