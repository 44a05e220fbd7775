"""Training objectives: the next token, masked tokens."""
