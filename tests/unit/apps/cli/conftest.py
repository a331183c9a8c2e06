from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's configuration, store or keys."""
    monkeypatch.chdir(tmp_path)
    for variable in ("TIERCEL_STORE", "TIERCEL_CONFIG", "P_KEY"):
        monkeypatch.delenv(variable, raising=False)
