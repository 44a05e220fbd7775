"""Studies: questions to a method, answered by one command each."""
