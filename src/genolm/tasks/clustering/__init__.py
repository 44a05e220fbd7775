"""Clustering of genome fragments by embeddings: recipe, agreement with labels, figure."""
