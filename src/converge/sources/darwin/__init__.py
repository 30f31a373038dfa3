"""Event sources of macOS."""
