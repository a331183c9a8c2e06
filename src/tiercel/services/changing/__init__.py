"""Changes that wait for a human, or are rolled out."""
