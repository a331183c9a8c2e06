"""What another policy would have done, from the log."""
