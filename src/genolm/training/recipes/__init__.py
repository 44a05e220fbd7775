"""Training recipes, and the shipped ones as YAML files in this folder."""
