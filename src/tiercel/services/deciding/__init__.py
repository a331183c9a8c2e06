"""A request and a route become a decision."""
