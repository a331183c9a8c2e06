"""A chosen model is called, and another where it fails."""
