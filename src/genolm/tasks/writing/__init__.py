"""From rows to files: tables, vectors, tracks, VCF columns, figures and provenance."""
