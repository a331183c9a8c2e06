"""`tiercel serve` over the benchmark's upstream: three models, the default policy, SQLite or another store."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

CONFIG = """
[store]
url = "{store}"
[[providers]]
id = "scripted"
base_url = "{upstream_url}/v1"
"""
MODEL = """
[[models]]
id = "scripted-{number}"
provider = "scripted"
tier = "{tier}"
context_length = 128000
capabilities = {{ general = 0.8 }}
price_usd_per_mtok = {{ input = 1.0, output = 2.0 }}
"""


def main() -> None:
    """Write the configuration and become the gateway."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    parser.add_argument("--upstream-url", required=True)
    parser.add_argument("--store", default="", help="a store's URL; without it SQLite in a fresh folder")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tiercel-bench-"))
    tiers = enumerate(("cheap", "capable", "premium"), start=1)
    models = "".join(MODEL.format(number=number, tier=tier) for number, tier in tiers)
    store = options.store or f"sqlite:///{folder}/tiercel.db"
    config = folder / "tiercel.toml"
    config.write_text(CONFIG.format(store=store, upstream_url=options.upstream_url) + models)
    os.execv(  # noqa: S606 - the gateway takes this process's place, so that its CPU time is counted whole
        sys.executable, [sys.executable, "-m", "tiercel", "serve", "--config", str(config), "--port", options.port]
    )


if __name__ == "__main__":
    main()
