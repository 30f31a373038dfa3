"""Users and groups on Linux."""
