"""Figures that an operator reads, made of the learned state's sums."""
