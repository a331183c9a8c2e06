"""What is believed of models from what was learned: their quality, their cost, and whether they changed."""
