"""Checkpoint layouts other than ours, each as a table of names that is read in both directions."""
