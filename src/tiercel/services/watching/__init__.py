"""Figures over time, and alerts."""
