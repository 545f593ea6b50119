"""The view of what was last published, which lanes consult."""
