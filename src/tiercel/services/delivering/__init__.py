"""The way into the store: what happens is kept until it is there, once and in order."""
