"""From inputs to the outputs of a model: what several verbs share before their rows."""
