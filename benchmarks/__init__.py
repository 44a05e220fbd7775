"""Benchmarks behind the figures in the documentation; each script writes one file in results/."""
