"""What a store shared by many processes costs, and what its faults cost: `python -m benchmarks.shared_store`."""
