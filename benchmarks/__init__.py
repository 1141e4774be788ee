"""Measures this server beside others: ``python -m benchmarks``."""
