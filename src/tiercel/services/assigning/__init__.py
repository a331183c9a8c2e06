"""Agents get models."""
