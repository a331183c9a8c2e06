"""`tiercel evaluate`: which policies, at which budgets, how often; the replays in parallel; what is shown of them."""
