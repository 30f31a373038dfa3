"""What can be managed: one kind, one file, or one folder where a kind needs more."""
