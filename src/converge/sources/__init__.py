"""Event sources. An event carries no state; it requests a re-check."""
