"""Held-out sequence cannot get into training: every way in that we could think of is tried here."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.training.conftest import random_dna

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import Corpus, CorpusRecipe, build_corpus, load_corpus
from genolm.training.corpus.corpus_manifest import sealed

TOKENIZER = NucleotideTokenizer(iupac="N")
COMPLEMENT = str.maketrans("ACGT", "TGCA")
SECRET = random_dna(4000, 22)
OTHER = random_dna(6000, 1)


def fasta(path: Path, contigs: dict[str, str]) -> str:
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    return str(path)


def in_memory(recipe: CorpusRecipe, folder: Path) -> Corpus:
    return load_corpus(recipe, TOKENIZER)


def on_disk(recipe: CorpusRecipe, folder: Path) -> Corpus:
    return load_corpus(CorpusRecipe(built=str(build_corpus(recipe, folder / "built"))), TOKENIZER)


BOTH = pytest.mark.parametrize("load", [in_memory, on_disk])
Load = Callable[[CorpusRecipe, Path], Corpus]


def secrets_in(corpus: Corpus) -> int:
    """Bases of training that stand in a 28-mer of the secret, on either strand."""
    both = SECRET + "N" + SECRET[::-1].translate(COMPLEMENT)
    known = {both[i : i + 28] for i in range(len(both) - 27)}
    found = 0
    for run in corpus.splits["train"]:
        text = TOKENIZER.decode(run.ids)
        found += sum(text[i : i + 28] in known for i in range(len(text) - 27))
    return found


@BOTH
@pytest.mark.parametrize("name", ["chr22", "22", "CHR22", "Chr22", "chr22:1-4000", "22:5-4,004"])
def test_under_another_spelling(load: Load, name: str, tmp_path: Path) -> None:
    """The leak filter is off: the name alone must do."""
    file = fasta(tmp_path / "a.fa", {"chr1": OTHER, name: SECRET})
    recipe = CorpusRecipe((file,), {"test": ("chr22",)}, leak_fraction=1.0)
    corpus = load(recipe, tmp_path)
    assert corpus.bases("test") == len(SECRET) and secrets_in(corpus) == 0
    assert {run.interval.chrom for run in corpus.splits["train"]} == {"chr1"}


@BOTH
@pytest.mark.parametrize("held_out", ["22", "CHR22", "22:1-4,000"])
def test_held_out_under_another_spelling(load: Load, held_out: str, tmp_path: Path) -> None:
    file = fasta(tmp_path / "a.fa", {"chr1": OTHER, "chr22": SECRET})
    corpus = load(CorpusRecipe((file,), {"test": (held_out,)}, leak_fraction=1.0), tmp_path)
    assert corpus.bases("test") == len(SECRET) and secrets_in(corpus) == 0


def variant_copy(sequence: str) -> str:
    """Another person's: a base in five hundred differs."""
    letters = list(sequence)
    for position in range(100, len(letters), 500):
        letters[position] = "A" if letters[position] != "A" else "C"
    return "".join(letters)


COPIES = {
    "the same bases": SECRET,
    "the other strand": SECRET[::-1].translate(COMPLEMENT),
    "lower case": SECRET.lower(),
    "another person's": variant_copy(SECRET),
    "another person's other strand": variant_copy(SECRET)[::-1].translate(COMPLEMENT),
}


@BOTH
@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_as_a_copy_of_another_name_in_another_assembly(load: Load, copy: str, tmp_path: Path) -> None:
    files = {"GRCh38": fasta(tmp_path / "a.fa", {"chr1": OTHER, "chr22": SECRET})}
    files["mine"] = fasta(tmp_path / "b.fa", {"tig00000007": copy, "tig8": random_dna(3000, 3)})
    corpus = load(CorpusRecipe(files, {"test": ("chr22",)}), tmp_path)
    assert secrets_in(corpus) == 0
    assert corpus.left_out["leak"] == {"bases": len(copy), "contigs": 1}
    assert {run.interval.chrom for run in corpus.splits["train"]} == {"chr1", "tig8"}


@BOTH
def test_inside_another_contig(load: Load, tmp_path: Path) -> None:
    """Kilobases that are mostly secret go; at its ends less than half a kilobase may stay."""
    inside = OTHER[:2300] + SECRET + OTHER[2300:]
    file = fasta(tmp_path / "a.fa", {"chr1": inside, "chr22": SECRET})
    corpus = load(CorpusRecipe((file,), {"test": ("chr22",)}), tmp_path)
    assert corpus.dropped == 4000 and secrets_in(corpus) < 500


@BOTH
def test_over_a_border(load: Load, tmp_path: Path) -> None:
    """A held-out interval cuts the contig exactly there, in every assembly, whatever its contig is called."""
    whole = OTHER[:1500] + SECRET[:2000] + OTHER[1500:]
    files = (fasta(tmp_path / "a.fa", {"chr5": whole}), fasta(tmp_path / "b.fa", {"5": whole[::-1]}))
    corpus = load(CorpusRecipe(files, {"test": ("chr5:1,501-3,500",)}, leak_fraction=1.0), tmp_path)
    for number, run in enumerate(corpus.splits["train"]):
        assert (run.interval.start, run.interval.end) == [(0, 1500), (3500, 8000)][number % 2]
    assert [str(run.interval) for run in corpus.splits["test"]] == ["chr5:1501-3500", "5:1501-3500"]


@BOTH
def test_a_whole_assembly_and_one_contig_of_another(load: Load, tmp_path: Path) -> None:
    names = ("human", "chimp", "lemur")
    made = {n: {"chr1": random_dna(900, i), "chr2": random_dna(900, 9 + i)} for i, n in enumerate(names)}
    files = {name: fasta(tmp_path / f"{name}.fa", contigs) for name, contigs in made.items()}
    recipe = CorpusRecipe(files, {"test": ("lemur/*",), "valid": ("chimp/2",)})
    corpus = load(recipe, tmp_path)
    found = {split: [(run.assembly, run.interval.chrom) for run in runs] for split, runs in corpus.splits.items()}
    assert found["train"] == [("human", "chr1"), ("human", "chr2"), ("chimp", "chr1")]
    assert found["test"] == [("lemur", "chr1"), ("lemur", "chr2")] and found["valid"] == [("chimp", "chr2")]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    file = fasta(tmp_path / "a.fa", {"chr1": OTHER, "chr22": SECRET, "chr3": random_dna(1000, 3)})
    return build_corpus(CorpusRecipe((file,), {"test": ("chr22",)}), tmp_path / "built")


def edit(built: Path, change: Callable[[pl.DataFrame], pl.DataFrame], *, sign: bool) -> None:
    """Writes another document table; with ``sign`` the manifest is made to agree with it."""
    path = built / "documents.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    if sign:
        manifest = json.loads((built / "manifest.json").read_text())
        manifest["documents"]["sha256"] = file_sha256(path)
        (built / "manifest.json").write_text(sealed(manifest))


def is_test() -> pl.Expr:
    return pl.col("split") == "test"


def set_where(condition: pl.Expr, **values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda table: table.with_columns(
        pl.when(condition).then(pl.lit(value, table.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


EDITS = {
    "given to training": (set_where(is_test(), split="train"), "does not match its shard"),
    "given to training, in its shard": (
        set_where(is_test(), split="train", shard="train-00000.tokens"),
        "does not match its shard",
    ),
    "training said to be held-out sequence": (
        set_where(pl.col("contig") == "chr3", contig="22"),
        "a document of train overlaps a region that is held out as test: build the corpus again",
    ),
    "held-out sequence said to be another contig": (
        set_where(is_test(), contig="chr7"),
        "a document of test overlaps a region that is trained on",
    ),
    "longer than it is": (set_where(pl.col("contig") == "chr3", length=5000, end=5000), "do not fill this shard"),
    "of another shard": (set_where(is_test(), shard="other-00000.tokens"), "does not match its shard"),
    "moved": (set_where(pl.col("contig") == "chr3", offset=0), "does not match its shard"),
    "left out": (lambda table: table.filter(pl.col("contig") != "chr1"), "does not match its shard"),
    "without a column": (lambda table: table.drop("source"), "a document table must have the columns"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), EDITS.values(), ids=EDITS)
def test_by_editing_the_document_table(
    built: Path, change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    recipe = CorpusRecipe(built=str(built))
    load_corpus(recipe, TOKENIZER)
    kept = {path: path.read_bytes() for path in built.iterdir()}
    edit(built, change, sign=False)
    with pytest.raises(InputError, match=r"documents\.parquet: the document table is damaged or was changed"):
        load_corpus(recipe, TOKENIZER)
    for path, content in kept.items():
        path.write_bytes(content)
    edit(built, change, sign=True)
    with pytest.raises(InputError, match=message):
        load_corpus(recipe, TOKENIZER)


def test_by_editing_the_manifest(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    manifest["options"]["held_out"] = {}
    manifest["shards"][0]["split"] = "train"
    for text, message in (
        (json.dumps(manifest), r"manifest\.json: damaged or changed: its sha256"),
        (sealed(manifest), "does not match its shard"),
    ):
        (built / "manifest.json").write_text(text)
        with pytest.raises(InputError, match=message):
            load_corpus(CorpusRecipe(built=str(built)), TOKENIZER)


def test_by_editing_a_shard(built: Path) -> None:
    shard = built / "train-00000.tokens"
    ids = np.fromfile(shard, np.uint8)
    ids[: len(SECRET)] = TOKENIZER.encode(SECRET)
    ids.tofile(shard)
    with pytest.raises(InputError, match=r"train-00000\.tokens: the shard is damaged or was changed"):
        load_corpus(CorpusRecipe(built=str(built)), TOKENIZER)
