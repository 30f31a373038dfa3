"""Where news comes from: one file for each of the system's ways of telling."""
