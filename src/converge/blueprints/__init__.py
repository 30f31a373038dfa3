"""Blueprints: registering, loading and evaluating them."""
