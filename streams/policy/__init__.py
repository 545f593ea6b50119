"""The policy book: measures, selection, stacking, boundaries and duty. Pure."""
