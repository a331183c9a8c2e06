"""Finds the browser that the dashboard is tested in, or installs Debian's: `python -m scripts.chromium`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""For a machine without a screen, and a network that ends at the machine."""
ADVICE = (
    "no Chromium was found and none could be installed: install the package chromium (apt-get install chromium), "
    "or Google Chrome, so that it is on the PATH"
)


class NoBrowserError(Exception):
    """There is no browser and it could not be installed; the message says what to install."""


def find() -> str | None:
    """The path of the first of `NAMES` on the PATH."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def needed() -> str:
    """As `find`. Raises `NoBrowserError` where there is none."""
    path = find()
    if path is None:
        raise NoBrowserError(ADVICE)
    return path


def install() -> None:
    """Install Debian's package, as root or by sudo without a question. Raises `NoBrowserError`."""
    apt = shutil.which("apt-get")
    sudo = shutil.which("sudo")
    as_root: Sequence[str] = () if os.geteuid() == 0 else (sudo or "", "-n")
    if apt is None or (as_root and sudo is None):
        raise NoBrowserError(ADVICE)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium", "fonts-liberation"]):
        command = [*as_root, apt, "--quiet", *arguments]
        if subprocess.run(command, env=environment, check=False, stdout=sys.stderr).returncode != 0:  # noqa: S603
            raise NoBrowserError(f"{ADVICE} (failed: {' '.join(command)})")


def main() -> int:
    """0 and its path where there is a browser now, else 1 and what to do."""
    try:
        if find() is None:
            install()
        sys.stdout.write(f"{needed()}\n")
    except NoBrowserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
