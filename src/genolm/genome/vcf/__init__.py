"""VCF and BCF: reading, checking and writing."""
