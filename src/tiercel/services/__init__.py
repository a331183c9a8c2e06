"""Use cases: deciding, calling, learning, watching. They know core and ports; no HTTP, no driver."""
