"""Who must be right before whom."""
