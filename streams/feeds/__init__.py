"""Formats of dealer management systems, read into canonical records; one file a format."""
