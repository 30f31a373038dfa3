"""Event sources of Windows."""
