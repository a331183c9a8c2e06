"""The log and what it teaches, live and after a restart."""
