"""The parts of ``cluster``: labels, features, the recipe, agreement with labels, the picture."""
