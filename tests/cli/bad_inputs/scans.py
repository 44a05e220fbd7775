"""What `genolm scan` cannot scan."""

from tests.cli.bad_inputs.case import Case

BASES = "ACGTTGCAAC" * 6

CASES = (
    Case(
        "scan: an empty FASTA",
        "scan tiny-random-dense empty.fa s",
        "empty.fa: the FASTA file is empty",
        3,
        {"empty.fa": ""},
    ),
    Case(
        "scan: a genome of N only",
        "scan tiny-random-dense n.fa s",
        "n.fa: nothing to scan: no contig has a base other than N",
        3,
        {"n.fa": f">a\n{'N' * 50}\n>b\nRN\n"},
    ),
    Case(
        "scan: an invalid letter",
        "scan tiny-random-dense x.fa s",
        "x.fa:3: not a base at position 5 of the sequence (value 'X')",
        3,
        {"x.fa": ">a\nACG\nTXA\n"},
    ),
    Case(
        "scan: intervals for a genome",
        "scan tiny-random-dense regions.bed s",
        "regions.bed: this file format is not supported here; expected "
        ".fa, .fasta, .fna, .ffn, .gb, .gbk, .gbff, .genbank, .embl, or one of these with .gz",
        3,
    ),
    Case(
        "scan: genes on other contigs",
        "scan tiny-random-dense a.fa s --genes far.gff3",
        "far.gff3: no coding gene is on a contig of the genome",
        3,
        {"a.fa": f">a\n{BASES}\n", "far.gff3": "b\tx\tCDS\t1\t9\t.\t+\t0\tID=g\n"},
    ),
    Case(
        "scan: genes of a longer genome",
        "scan tiny-random-dense a.fa s --genes long.gff3",
        "long.gff3:1: the gene starts beyond the end of its contig (60 bases): the annotation belongs to another "
        "genome (value 'g a:71-90')",
        3,
        {"a.fa": f">a\n{BASES}\n", "long.gff3": "a\tx\tCDS\t71\t90\t.\t+\t0\tID=g\n"},
    ),
    Case(
        "scan: an annotation of an unknown kind",
        "scan tiny-random-dense a.fa s --genes genes.bed",
        "genes.bed: unsupported annotation format; expected .gff3, .gff, .gtf, .gbk, .gb, .gbff, .genbank, .embl, or"
        " one of these with .gz",
        3,
        {"a.fa": f">a\n{BASES}\n", "genes.bed": "a\t1\t9\n"},
    ),
    Case(
        "scan: a GenBank file that is cut off",
        "scan tiny-random-dense a.fa s --genes genes.gbk",
        "genes.gbk:2: the last record is truncated: it has no line //",
        3,
        {"a.fa": f">a\n{BASES}\n", "genes.gbk": "LOCUS       a  60 bp DNA\nFEATURES             Location/Qualifiers\n"},
    ),
    Case(
        "scan: GenBank without Biopython",
        "scan tiny-random-dense a.fa s --genes genes.gbk",
        "reading GenBank and EMBL files requires biopython, which is not installed; pip install 'genolm[genbank]'",
        1,
        {"a.fa": f">a\n{BASES}\n", "genes.gbk": "LOCUS\n"},
        hidden=("Bio",),
    ),
    Case(
        "scan: one of the files is there",
        "scan tiny-random-dense a.fa s",
        "s.bed exists; pass --overwrite to replace it",
        5,
        {"a.fa": f">a\n{BASES}\n", "s.bed": "mine\n"},
    ),
    Case(
        "scan: no folder for the prefix",
        "scan tiny-random-dense a.fa none/s",
        "none/s.json: there is no folder none",
        5,
        {"a.fa": f">a\n{BASES}\n"},
    ),
    Case(
        "scan: a negative seed",
        "scan tiny-random-dense a.fa s --seed -1",
        "Invalid value for '--seed': must be between 0 and 4294967295, not -1",
        2,
        {"a.fa": f">a\n{BASES}\n"},
    ),
    Case(
        "scan: a window that is all overlap",
        "scan tiny-random-dense a.fa s --window 40 --overlap 40",
        "overlap must be smaller than the window: 40 of 40 bases leave nothing to score",
        3,
        {"a.fa": f">a\n{BASES}\n"},
    ),
    Case(
        "scan: a threshold to leave above that to enter",
        "scan tiny-random-dense a.fa s --enter 2 --leave 3",
        "leave must be from 0 to enter (value (3.0, 2.0))",
        3,
        {"a.fa": f">a\n{BASES}\n"},
    ),
    Case(
        "scan: passes of a decoder",
        "scan tiny-random-dense a.fa s --passes 4",
        "passes applies to encoders, but no model is an encoder",
        4,
        {"a.fa": f">a\n{BASES}\n"},
    ),
)
