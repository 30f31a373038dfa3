"""File-system access through descriptors, safe against swapped paths."""
