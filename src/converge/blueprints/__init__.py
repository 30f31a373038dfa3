"""Blueprints: declared, loaded, given their parameters."""
