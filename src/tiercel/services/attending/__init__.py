"""Which agents are there, and what they tell one another."""
