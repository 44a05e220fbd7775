"""Recipes and tables of fine-tuning that are wrong, and datasets that cannot be built."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from tests.cli.bad_inputs.case import Case

RECIPE = """name: small
start: tiny-random-dense
objective: labels
heads: {richness: {kind: labels, labels: [weak, strong]}}
data: {train: bad.csv, held_out: {test: fine.csv}}
context: 32
batch_rows: 2
steps: 1
"""
FINE = "sequence,label\nATTATAATTA,weak\nGCCGGCGCCG,strong\n"
BASES = RECIPE.replace("[weak, strong]", "[weak, strong], of: token")
BUILD = "dataset build splice data --genome genome.fa --genes genes.gtf --valid chr2 --test chr1"


def table(kind: str, content: str | bytes, message: str, recipe: str = RECIPE) -> Case:
    """A training table that cannot be used."""
    files = {"tune.yaml": recipe, "fine.csv": FINE, "bad.csv": content}
    return Case(f"fine-tuning: {kind}", "finetune tune.yaml run", message, 3, files)


def tuning(kind: str, recipe: str, message: str) -> Case:
    """A recipe that does not fit a good table."""
    return table(kind, FINE, message, recipe)


def gene(contig: str, exons: tuple[tuple[int, int], ...] = ((1, 30), (61, 90))) -> str:
    """A coding gene in GTF."""
    told = f'gene_id "g-{contig}"; transcript_id "t-{contig}";'
    return "".join(
        f"{contig}\tx\t{feature}\t{start}\t{end}\t.\t+\t0\t{told}\n"
        for start, end in exons
        for feature in ("exon", "CDS")
    )


CASES = (
    Case("fine-tuning: no such recipe", "finetune genolm-nano run", "no such recipe file (value 'genolm-nano')", 3),
    table("a table without rows", "sequence,label\n", "bad.csv: the table has no rows"),
    table("an empty table", "", "bad.csv: the table is empty"),
    table("a letter that is not a base", "sequence,label\nAC!T,weak\n", "bad.csv:2: not a base at position 3 of the sequence (value '!')"),
    table("an unknown label", "sequence,label\nACGT,stark\n", "bad.csv:2: unknown label; the head has weak, strong (value 'stark')"),
    table("a missing label", "sequence,label\nACGT,\n", "bad.csv:2: column label is empty here"),
    table("a missing sequence", "sequence,label\n,weak\n", "bad.csv:2: the sequence is empty"),
    table("more labels than bases", "sequence,label\nACGT,01010\n", "bad.csv:2: 5 labels for 4 bases", BASES),
    table("an index without a class", "sequence,label\nACGT,0120\n", "bad.csv:2: no class has this index; the classes of the head are 0 to 1 (weak, strong) (value '2')", BASES),
    table("a number that is NaN", "sequence,weak,strong\nACGT,nan,1\n", "bad.csv:2: column weak is empty here", RECIPE.replace("[weak, strong]", "[weak, strong], task: regression")),
    table("balanced weights of a class without examples", "sequence,label\nACGT,weak\n", "no example in the training table has this label, so it has no weight (value 'strong')", RECIPE + "class_weights: balanced\n"),
    tuning("a class weight that is NaN", RECIPE + "class_weights: {weak: .nan, strong: 1}\n", "tune.yaml: the class weight of weak must be a positive number (value nan)"),
    tuning("a focal exponent that is NaN", RECIPE + "focal: .nan\n", "tune.yaml: focal must not be negative (value nan)"),
    Case("dataset: a contig that the genome lacks", BUILD.replace("chr2", "chr9"), "genome.fa: no such contig; the genome has chr1, chr2 (value 'chr9')", 3, {"genes.gtf": gene("chr1")}),
    Case("dataset: a region in two splits", BUILD.replace("chr2", "chr1"), "a region is given twice (value 'chr1')", 3, {"genes.gtf": gene("chr1")}),
    Case("dataset: an annotation without genes", BUILD, "genes.gtf: no protein-coding gene is on a contig of the genome", 3, {"genes.gtf": ""}),
    Case("dataset: genes on contigs of another genome", BUILD, "genes.gtf: no protein-coding gene is on a contig of the genome", 3, {"genes.gtf": gene("scaffold7")}),
    Case("dataset: a split without genes", BUILD, "no example falls into this split (value 'train')", 3, {"genes.gtf": gene("chr1")}),
    Case("dataset: an annotation of another assembly", BUILD, "genes.gtf: only 0.0 % of 10 introns begin with GT and end with AG: the annotation belongs to another genome or assembly than genome.fa", 3, {"genes.gtf": gene("chr1", tuple((start, start + 29) for start in range(1001, 1661, 60)))}),
    Case("dataset: the folder exists", BUILD, "data exists; choose another folder, or pass --overwrite to replace it", 5, {"genes.gtf": gene("chr1"), "data": None}),
    Case("dataset: a folder that is not a dataset", f"{BUILD} --overwrite", "data is not a dataset; refusing to overwrite it", 5, {"genes.gtf": gene("chr1"), "data": None}),
)  # fmt: skip
