"""Arithmetic and rules. Pure: no I/O, no async, no clock, no global random, no logging."""
