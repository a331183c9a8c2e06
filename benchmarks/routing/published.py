"""What others published on these tables, and what tiercel is to reach. Sources: docs/routing.md names them."""

from __future__ import annotations

from typing import Final

BUDGETS_USD: Final = (8.3e-5, 2.3e-4, 6.6e-4, 1.9e-3, 5.3e-3)
"""ParetoBandit's budgets per request."""
PARETOBANDIT_WARM: Final = (0.813, 0.859, 0.898, 0.917, 0.924)
"""Its quality there with priors from 8,374 labelled prompts (arXiv 2604.00136)."""
PARETOBANDIT_COLD: Final[tuple[float | None, ...]] = (None, None, 0.882, 0.901, None)
"""Without priors, where published (at $3.0e-4: .846)."""
TARGETS: Final = (0.825, 0.878, 0.920, 0.922, 0.926)
"""The quality tiercel is to reach from a cold start, for at most 1.01 x the budget."""
UNSEGMENTED_LOSS: Final = 0.008
"""How much less quality may be without task labels."""
MOST_SPEND: Final = 1.01

MODELS: Final = ("llama-3.1-8b-instruct", "mistral-large-2512", "gemini-2.5-pro")
"""The three models of the paper."""

ROUTELLM: Final = {
    "mmlu": {"apgr": 0.603, "cpt50": 35.40, "cpt80": 70.31},
    "gsm8k": {"apgr": 0.622, "cpt50": 33.64, "cpt80": 63.26},
    "mtbench": {"apgr": 0.802, "cpt50": 13.40, "cpt80": 31.31},
}
"""RouteLLM's best routers (arXiv 2406.18665, tables 2 to 4). A random one has .500, 50 and 80."""

ROUTELLM_LABELS: Final = {"mmlu": 1500, "gsm8k": 400}
"""From so many queries tiercel learns, and ranks the others."""
ROUTELLM_TARGETS: Final = {
    ("mmlu", "one outcome of each"): {"apgr": 0.63, "cpt80": 65.0},
    ("mmlu", "both outcomes"): {"apgr": 0.65},
    ("gsm8k", "one outcome of each"): {"apgr": 0.61},
}
MOST_LOST_AT_TENTH: Final = -0.005
"""The gain over the hull may not be below this where 10 % are rated."""
