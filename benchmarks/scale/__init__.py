"""What many gateways over one Cluster take, measured in small and computed for large: `python -m benchmarks.scale`."""
