"""Benchmarks: each compares streamdet with other implementations in one run."""
