"""Windows' own interfaces."""
