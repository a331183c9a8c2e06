"""Drawn answers are graded by a model."""
