"""genolm."""
