"""Keeps resources in their desired state: what may start now, doing it, and telling what came of it."""
