"""Figures of what happened, over time."""
