"""What routing achieves, measured on tables of real outcomes."""
