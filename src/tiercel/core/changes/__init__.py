"""Changes that are asked for before they apply: their steps, and whether they make things worse."""
