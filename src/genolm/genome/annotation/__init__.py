"""Gene annotation from GFF3, GTF, GenBank and EMBL, and coding sequences."""
