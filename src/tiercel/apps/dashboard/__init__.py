"""The dashboard: one page that shows what the router does, why, what it saves, and what needs a hand."""
