"""For tests: the engine in a simulated world."""
