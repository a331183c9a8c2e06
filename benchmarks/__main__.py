"""`make bench`: every measurement, one after the other; figures as data in benchmarks/results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MEASUREMENTS = ("decide", "learn", "install", "recommend", "dashboard", "store", "shared_store", "scale", "relay")


def main() -> int:
    """Run the named measurements, or all; the exit code says how many failed."""
    failed = 0
    for name in sys.argv[1:] or MEASUREMENTS:
        module = f"benchmarks.{name}"
        print(f"== {module}", flush=True)
        failed += subprocess.run([sys.executable, "-m", module], cwd=HERE.parent, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
