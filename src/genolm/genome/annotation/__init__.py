"""Gene annotation: GFF3, GTF, GenBank and EMBL features, coding sequences."""
