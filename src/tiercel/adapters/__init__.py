"""One file per outside thing: stores, providers, clock, prices. Errors are translated here, by type or status."""
