"""What is wrong is noticed, logged as alerts, and told to people once."""
