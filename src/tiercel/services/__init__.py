"""Use cases: router, learner, completion, tracking, alerting. They know core and ports; no HTTP, no driver."""
