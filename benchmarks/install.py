"""What the plain install weighs and how long `import tiercel` takes, in a fresh environment."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import results

REPOSITORY = Path(__file__).parent.parent
RUNS = 15
_IMPORT = "import time; t = time.perf_counter(); import tiercel; print((time.perf_counter() - t) * 1000)"
_NOTHING = _IMPORT.replace("tiercel", "json, asyncio, sqlite3")


def size_mb(folder: Path) -> float:
    """What the files below `folder` take, in MB of 1e6 bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def milliseconds(python: Path, program: str) -> float:
    """Median of what `program` prints over several fresh processes."""
    took = [
        float(subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(RUNS)
    ]
    return statistics.median(took)


def main() -> None:
    """Install into an empty environment without pip in it, then weigh and time."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        python = environment / "bin" / "python"
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", str(REPOSITORY)], check=True
        )
        packages = next((environment / "lib").glob("python*/site-packages"))
        milliseconds(python, _IMPORT)  # the first import compiles
        figures = {
            "plain_install_mb": round(size_mb(packages), 1),
            "import_tiercel_ms": round(milliseconds(python, _IMPORT), 1),
            "import_json_asyncio_sqlite3_ms": round(milliseconds(python, _NOTHING), 1),
            "largest_mb": {
                path.name: round(size_mb(path), 1)
                for path in sorted((p for p in packages.iterdir() if p.is_dir()), key=size_mb, reverse=True)[:8]
            },
        }
    for name, value in figures.items():
        print(f"{name}: {value}")
    results.store("install", figures)


if __name__ == "__main__":
    main()
