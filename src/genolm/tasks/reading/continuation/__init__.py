"""Continuation of prompts: sampling rule, limits, and the loop over new tokens."""
