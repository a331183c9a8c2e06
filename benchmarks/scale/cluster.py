"""The Cluster of the tests, in a process of its own: `PYTHONPATH=tests:. python -m benchmarks.scale.cluster`.

It says where its masters listen, and ends when nobody listens to it any more.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from support.redis_cluster import redis_cluster


def main() -> None:
    """Be that process."""
    with tempfile.TemporaryDirectory() as folder, redis_cluster(Path(folder)) as cluster:
        print(json.dumps([server.port for server in cluster.masters]), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
