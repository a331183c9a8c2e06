"""Routers over one shared store, and what each side holds."""

from __future__ import annotations

from contextlib import closing

from benchmarks.redis_server import RedisServer

from support.worlds import THREE_TIERS
from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import OVERALL, Deltas
from tiercel.library.router import Router


def router_on(url: str) -> Router:
    """A router that follows the store at a URL."""
    router = Router(models=THREE_TIERS, store=url, seed=1)
    router.learner.start()
    return router


def counted(state: Deltas) -> tuple[int, int]:
    """Calls and ratings."""
    overall = [sums for (key, _), sums in state.sums.items() if key == OVERALL]
    return sum(sums.requests for sums in overall), sum(sums.ratings for sums in overall)


def kept(server: RedisServer) -> Deltas:
    """What the server holds."""
    with closing(RedisStore(server.url)) as store:
        return store.load()[0]


def held(router: Router) -> Deltas:
    """What a process holds."""
    return router.learner.knowledge.export().climbed(0.0)
