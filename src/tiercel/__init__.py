"""Keeps every LLM call on the cheapest model that is good enough, and proves it."""
