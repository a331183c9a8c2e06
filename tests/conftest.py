"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# No deadline: machines are shared, and a slow moment is no fault. Derandomised: the same examples every run, so that a
# red build means a changed program; `make fuzz` looks for new ones.
settings.register_profile("build", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=2_000)
settings.load_profile("build")
