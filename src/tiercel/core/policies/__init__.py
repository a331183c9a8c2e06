"""One policy, one file: from a request and what is known to a probability for every eligible model."""
