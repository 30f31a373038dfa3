"""Converge side by side with bare loops and with other tools: ``python -m benchmarks`` prints the tables."""
