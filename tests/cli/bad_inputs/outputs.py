"""Outputs that would replace an input, or that cannot be written to."""

from tests.cli.bad_inputs.case import MODEL, Case

_MADE = ">s prompt_bases=0\nACGTACGTAGCTAGCTAGCATCGATCGATCGATCAGCTAGCATCGACTAGC\n"
_GENOME = f">c\n{'ACGTTGCAACGGTATC' * 40}\n"
_CHECK = "check {} {} --reference natural.fa --overwrite"
_CODING = "c\tx\tCDS\t1\t9\t.\t+\t0\tID=a\n"
_SCORED = (
    '##fileformat=VCFv4.2\n##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="score">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)

CASES = (
    Case(
        "check: the output folder is the file that is checked",
        _CHECK.format("made.fa", "made.fa"),
        "made.fa is an input of this run too (made.fa); choose another output",
        5,
        {"made.fa": _MADE, "natural.fa": _GENOME},
    ),
    Case(
        "check: the file that is checked lies in the folder that would be replaced",
        _CHECK.format("checked/passed.fa", "checked"),
        "checked holds an input of this run (checked/passed.fa); choose another output",
        5,
        {"made.fa": _MADE, "natural.fa": _GENOME},
        before=("check made.fa checked --reference natural.fa",),
    ),
    Case(
        "explain attribution: the output folder is the input",
        f"explain attribution {MODEL} made.fa made.fa --overwrite",
        "made.fa is an input of this run too (made.fa); choose another output",
        5,
        {"made.fa": _MADE},
    ),
    Case(
        "explain lens: the input lies in the folder that would be replaced",
        f"explain lens {MODEL} seen/deeper/in.fa seen --overwrite",
        "seen holds an input of this run (seen/deeper/in.fa); choose another output",
        5,
        {"seen": None, "seen/deeper": None, "seen/provenance.json": "{}\n", "seen/deeper/in.fa": _MADE},
    ),
    Case(
        "tokenizer train: the training sequence lies in the folder that would be replaced",
        "tokenizer train tokens/in.fa tokens --vocab-size 64 --overwrite",
        "tokens holds an input of this run (tokens/in.fa); choose another output",
        5,
        {"tokens": None, "tokens/training.json": "{}\n", "tokens/in.fa": _GENOME},
    ),
    Case(
        "explain: a folder on standard output",
        f"explain lens {MODEL} made.fa -",
        "cannot write to standard output here; name a file or folder",
        5,
        {"made.fa": _MADE},
    ),
    Case(
        "check: neither FASTA, GenBank nor EMBL",
        "check made.fa checked --reference genes.bed",
        "genes.bed:1: not FASTA, GenBank or EMBL: a record must start with '>', LOCUS or ID (value 'c\\t0\\t9')",
        3,
        {"made.fa": _MADE, "genes.bed": "c\t0\t9\n"},
    ),
    Case(
        "GFF3: a position of 30 digits",
        f"complete {MODEL} genes.gff3 out.tsv --genome natural.fa",
        f"genes.gff3:1: a GFF3 position must be a whole number (value ['1', '{'9' * 30}'])",
        3,
        {"genes.gff3": _CODING.replace("\t9\t", f"\t{'9' * 30}\t"), "natural.fa": _GENOME},
    ),
    Case(
        "GFF3: an underscore in a position",
        f"complete {MODEL} genes.gff3 out.tsv --genome natural.fa",
        "genes.gff3:1: a GFF3 position must be a whole number (value ['1', '1_0'])",
        3,
        {"genes.gff3": _CODING.replace("\t9\t", "\t1_0\t"), "natural.fa": _GENOME},
    ),
    Case(
        "report: a position of 19 digits",
        "report scored.vcf page.html --genome natural.fa",
        f"scored.vcf:4: POS must be a whole number, 1-based (value '{'9' * 19}')",
        3,
        {"scored.vcf": f"{_SCORED}c\t{'9' * 19}\t.\tA\tC\t.\t.\tGENOLM_LLR_SUM=-1\n", "natural.fa": _GENOME},
    ),
)
