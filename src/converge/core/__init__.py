"""Base types that everything else builds on. Imports nothing else of converge."""
