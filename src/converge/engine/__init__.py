"""The engine: schedules checks and applies, and reports their outcomes."""
