"""Corpora that cannot be built, and built ones that are damaged."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

from pathlib import Path

from tests.cli.bad_inputs.case import Case

CORPUS = "fasta: [genome.fa]\nheld_out: {test: [chr2]}\n"
BUILD, INSPECT = "corpus build corpus.yaml built", "corpus inspect built"


def corpus(kind: str, text: str, message: str, **more) -> Case:
    """A corpus that cannot be built."""
    return Case(kind, BUILD, message, 3, {"corpus.yaml": text, **more.pop("files", {})}, **more)


def damaged(kind: str, make, message: str) -> Case:
    """A built corpus that something happened to."""
    return Case(kind, INSPECT, message, 3, {"corpus.yaml": CORPUS}, make, before=(BUILD,))


def flip(name: str):
    """Changes the last byte of a file."""

    def change(folder: Path) -> None:
        file = folder / "built" / name
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    return change


CASES = (
    corpus(
        "corpus: an unknown key",
        CORPUS + "min_len: 5\n",
        "corpus.yaml: unknown key in corpus; known keys are built, drop_duplicates, fasta, gene_distance, genes, held_out, leak_fraction, longest_n_run, longest_soft_masked, max_soft_masked, min_contig, min_run, near_duplicates, skip, sources, strand, weights (value 'min_len')",
    ),
    corpus(
        "corpus: nothing said of what is held out",
        "fasta: [genome.fa]\n",
        "corpus.yaml: corpus lacks the key held_out; use {} to hold nothing out",
    ),
    corpus(
        "corpus: no files",
        "held_out: {}\n",
        "corpus.yaml: a corpus must have exactly one of fasta, sources and built, not none",
    ),
    corpus(
        "corpus: one file for a list",
        CORPUS.replace("[genome.fa]", "genome.fa"),
        "corpus.yaml: fasta must be a list of files, or a mapping of assemblies to files (value 'genome.fa')",
    ),
    corpus(
        "corpus: a region that no contig lies in",
        CORPUS.replace("[chr2]", "[chr2, chr22]"),
        "no contig of the corpus lies in this region of held_out or skip (value 'chr22')",
    ),
    corpus(
        "corpus: an interval that ends before it starts",
        CORPUS.replace("[chr2]", '["chr2:500-20"]'),
        "corpus.yaml: the interval ends before it starts (value 'chr2:500-20')",
    ),
    corpus(
        "corpus: all is held out",
        CORPUS.replace("[chr2]", "[chr1, chr2]"),
        "no base of the corpus falls into the split 'train'",
    ),
    corpus(
        "corpus: a split called train",
        CORPUS.replace("test", "train"),
        "corpus.yaml: the name of a held-out split must be a single word other than train (value 'train')",
    ),
    corpus(
        "corpus: a share above 1",
        CORPUS + "max_soft_masked: 50\n",
        "corpus.yaml: max_soft_masked must be between 0 and 1 (value 50)",
    ),
    corpus(
        "corpus: a strand that is none",
        CORPUS + "strand: reverse\n",
        "corpus.yaml: strand must be random, forward, both, or a probability (value 'reverse')",
    ),
    corpus(
        "corpus: genes without a distance",
        CORPUS + "genes: [genes.gtf]\n",
        "corpus.yaml: genes and gene_distance must be given together",
    ),
    corpus(
        "corpus: the file of genes is missing",
        CORPUS + "genes: [genes.gtf]\ngene_distance: 100\n",
        "genes.gtf: the recipe's gene file does not exist",
    ),
    corpus(
        "corpus: two assemblies of one name",
        CORPUS.replace("[genome.fa]", "[ genome.fa , genome.fa ]"),
        "two assemblies have this name; name them in the recipe, as in {first: a.fa, second: b.fa} (value 'genome')",
    ),
    corpus(
        "corpus: a source without a weight",
        "sources: {human: [genome.fa], other: [other.fa]}\nweights: {human: 1}\nheld_out: {test: [chr2]}\n",
        "corpus.yaml: weights must name each source once; the sources are human, other (value 'other')",
    ),
    corpus(
        "corpus: an invalid letter in the second file",
        CORPUS.replace("[genome.fa]", "[ genome.fa , more.fa]"),
        "more.fa:3: not a base at position 6 of the sequence (value 'X')",
        files={"more.fa": ">scaffold\nACGT\nAXGT\n"},
    ),
    corpus(
        "corpus: built already",
        "built: other\n",
        "the corpus of this recipe is already built (value 'other')",
    ),
    Case(
        "corpus: the folder exists",
        BUILD,
        "built exists; choose another folder, or pass --overwrite to replace it",
        5,
        {"corpus.yaml": CORPUS, "built": None},
    ),
    Case(
        "corpus: the folder to replace is something else",
        f"{BUILD} --overwrite",
        "built is not a corpus folder; refusing to overwrite it",
        5,
        {"corpus.yaml": CORPUS, "built": None, "built/thesis.txt": "years of work"},
    ),
    Case(
        "corpus: a file where a folder should be",
        "corpus build corpus.yaml corpus.yaml/built",
        "corpus.yaml/built: its parent cannot be created (File exists): choose another folder",
        5,
        {"corpus.yaml": CORPUS},
    ),
    Case(
        "corpus: its folder may not be written",
        "corpus build corpus.yaml locked/built",
        "locked/built: the folder locked cannot be written",
        5,
        {"corpus.yaml": CORPUS, "locked": None},
        make=lambda folder: (folder / "locked").chmod(0o555),
        unprivileged=True,
    ),
    Case("corpus: not a built one", INSPECT, "built: not a built corpus: manifest.json is missing", 3, {"built": None}),
    damaged(
        "corpus: a damaged shard",
        flip("train-00000.tokens"),
        "built/train-00000.tokens: the shard is damaged or was changed: its sha256 does not match the manifest",
    ),
    damaged(
        "corpus: a missing shard",
        lambda folder: (folder / "built/test-00000.tokens").unlink(),
        "built/test-00000.tokens: a shard of the corpus is missing: build it again",
    ),
    damaged(
        "corpus: a changed document table",
        flip("documents.parquet"),
        "built/documents.parquet: the document table is damaged or was changed: its sha256 does not match the manifest",
    ),
    damaged(
        "corpus: a torn manifest",
        lambda folder: (folder / "built/manifest.json").write_text('{"format": "genolm cor'),
        "built/manifest.json: corrupt: not valid JSON",
    ),
    damaged(
        "corpus: a changed manifest",
        lambda folder: (folder / "built/manifest.json").write_text(
            (folder / "built/manifest.json").read_text().replace("chr2", "chr3")
        ),
        "built/manifest.json: damaged or changed: its sha256 does not match its content",
    ),
)
