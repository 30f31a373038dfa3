"""Blueprints that come with converge."""
