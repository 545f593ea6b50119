"""Reference consumers of the output topics."""
