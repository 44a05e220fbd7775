"""Recipes: what a training run is made from. The shipped ones are the YAML files beside this module."""
