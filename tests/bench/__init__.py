"""Benchmarks: everything side by side on one broker in one run, so that the ratios hold on any machine."""
