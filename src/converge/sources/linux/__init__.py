"""Event sources of Linux."""
