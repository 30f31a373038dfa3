"""Blueprints that come with converge; what several of them declare is in ``parts``."""
