"""Measurements that the README quotes; each script writes one file in results/."""
