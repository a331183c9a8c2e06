"""Ratings come in: single ones, and those of founding system B."""
