"""The models that genolm knows by name."""
