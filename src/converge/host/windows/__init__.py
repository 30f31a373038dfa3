"""Windows APIs."""
