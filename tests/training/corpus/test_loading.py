"""The corpus in memory: splits, the leakage filter, what each rule of quality control takes, and the recipe."""

import gzip
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import random_dna

from genolm.errors import InputError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import Corpus, CorpusRecipe, load_corpus
from genolm.training.recipe_file import read_mapping
from genolm.training.recipes.pretrain_recipe import Recipe

TOKENIZER = NucleotideTokenizer(iupac="N")
COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def text(ids: np.ndarray) -> str:
    return TOKENIZER.decode(ids)


def write(path: Path, **contigs: str) -> str:
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    return str(path)


def load(fasta: str, **rules: object) -> Corpus:
    """One file with no held-out region unless the rules name one; every base is accounted for."""
    corpus = load_corpus(CorpusRecipe(fasta=(fasta,), **{"held_out": {}, "min_run": 50, **rules}), TOKENIZER)  # type: ignore[arg-type]
    kept = sum(corpus.bases(split) for split in corpus.splits)
    assert kept + sum(rule["bases"] for rule in corpus.left_out.values()) == bases_in(fasta)
    return corpus


def bases_in(fasta: str) -> int:
    return sum(len(line) for line in Path(fasta).read_text().splitlines() if not line.startswith(">"))


def places(corpus: Corpus, split: str = "train") -> list[str]:
    return [str(run.interval) for run in corpus.splits[split]]


def left_out(corpus: Corpus) -> dict[str, tuple[int, int]]:
    return {rule: (n["bases"], n["contigs"]) for rule, n in corpus.left_out.items() if n["bases"]}


def test_runs_split_at_n_and_lower_case_counts(recipe: Recipe) -> None:
    corpus = load_corpus(recipe.corpus, TOKENIZER)
    assert {name: corpus.bases(name) for name in corpus.splits} == {"train": 5400, "test": 1500}
    assert places(corpus) == ["chr1:1-3000", "chr1:3051-3450", "chr2:1-2000"]
    assert left_out(corpus) == {"n_run": (50, 1)}
    assert corpus.held_out == {"test": ("chr3",)}


def test_held_out_intervals_are_cut_out(recipe: Recipe) -> None:
    held = {"test": ("chr3",), "valid": ("chr1:1,001-2,000",)}
    corpus = load_corpus(replace(recipe.corpus, held_out=held, skip=("chr2:1-500",)), TOKENIZER)
    assert places(corpus) == ["chr1:1-1000", "chr1:2001-3000", "chr1:3051-3450", "chr2:501-2000"]
    assert places(corpus, "valid") == ["chr1:1001-2000"]
    assert left_out(corpus) == {"skip": (500, 1), "n_run": (50, 1)}


@pytest.mark.parametrize("strand", ["plus", "minus"])
def test_sequence_that_repeats_held_out_sequence_is_dropped(recipe: Recipe, tmp_path: Path, strand: str) -> None:
    secret = random_dna(1500, 4)
    copy = secret if strand == "plus" else secret[::-1].translate(COMPLEMENT)
    fasta = write(tmp_path / "leak.fa", chr3=secret, chr9=random_dna(2000, 7) + copy + random_dna(2000, 8))
    corpus = load_corpus(replace(recipe.corpus, fasta=(fasta,)), TOKENIZER)
    assert corpus.dropped == 1000  # of the kilobases 2,000-3,000 (all shared) and 3,000-4,000 (under half)
    assert "chr9:2001-3000" not in places(corpus)
    assert not any(copy[:1000] in text(run.ids) for run in corpus.splits["train"])


def test_a_split_without_bases_is_an_error(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="no base of the corpus falls into the split 'test'"):
        load_corpus(replace(recipe.corpus, held_out={"test": ("chrX",)}), TOKENIZER)
    with pytest.raises(InputError, match="the recipe's FASTA file does not exist"):
        load_corpus(replace(recipe.corpus, fasta=("/nowhere.fa",)), TOKENIZER)


@pytest.mark.parametrize("where", ["held_out", "skip"])
def test_a_region_in_which_no_contig_lies_is_an_error(recipe: Recipe, where: str) -> None:
    wrong = {"held_out": {"test": ("chr3", "chr33")}} if where == "held_out" else {"skip": ("chr33",)}
    with pytest.raises(InputError, match=r"no contig of the corpus lies in this region .* \(value 'chr33'\)"):
        load_corpus(replace(recipe.corpus, **wrong), TOKENIZER)


def test_short_runs_of_n_stay_where_the_recipe_lets_them(tmp_path: Path) -> None:
    one, two, three = (random_dna(100, seed) for seed in range(3))
    fasta = write(tmp_path / "n.fa", chr1=f"NN{one}NNN{two}NNNN{three}N", chr2=f"{one[::-1]}NNN{two[::-1]}")
    corpus = load(fasta, longest_n_run=3, held_out={"test": ("chr2",)})
    assert places(corpus) == ["chr1:3-205", "chr1:210-309"]
    assert text(corpus.splits["train"][0].ids) == f"{one}NNN{two}"
    assert places(corpus, "test") == ["chr2:1-100", "chr2:104-203"]  # what is evaluated holds no N
    assert left_out(corpus) == {"n_run": (2 + 4 + 1 + 3, 2)}


def test_contigs_and_runs_may_be_too_short(tmp_path: Path) -> None:
    fasta = write(
        tmp_path / "short.fa",
        a=random_dna(300, 0),
        b=random_dna(99, 1),
        c=random_dna(50, 2) + "N" * 180,
        d=random_dna(90, 3),
    )
    corpus = load(fasta, min_contig=100, min_run=60, held_out={"test": ("d",)})
    assert places(corpus) == ["a:1-300"] and places(corpus, "test") == ["d:1-90"]
    assert left_out(corpus) == {"short_contig": (99, 1), "n_run": (180, 1), "short_run": (50, 1)}


def test_soft_masked_stretches_are_cut_out_and_nothing_else(tmp_path: Path) -> None:
    upper, lower = random_dna(200, 0), random_dna(100, 1).lower()
    fasta = write(tmp_path / "soft.fa", a=upper + lower + upper + lower[:40] + upper)
    corpus = load(fasta, longest_soft_masked=40)
    assert places(corpus) == ["a:1-200", "a:301-740"]
    assert left_out(corpus) == {"soft_masked_stretch": (100, 1)}


def test_documents_with_too_much_lower_case_are_dropped(tmp_path: Path) -> None:
    half = random_dna(200, 0) + random_dna(200, 1).lower()
    fasta = write(tmp_path / "soft.fa", a=half, b=half[::-1] + "a", c=random_dna(100, 3).lower())
    corpus = load(fasta, max_soft_masked=0.5, held_out={"test": ("c",)})
    assert places(corpus) == ["a:1-400"] and places(corpus, "test") == ["c:1-100"]
    assert left_out(corpus) == {"soft_masked_document": (401, 1)}


def test_a_contig_that_was_there_on_either_strand_is_dropped(tmp_path: Path) -> None:
    one, gapped = random_dna(500, 0), random_dna(300, 1) + "NN" + random_dna(200, 2)
    reverse = {"b": one[::-1].translate(COMPLEMENT).lower(), "d": gapped[::-1].translate(COMPLEMENT)}
    fasta = write(tmp_path / "twice.fa", a=one, b=reverse["b"], c=gapped, d=reverse["d"], e=one[:-1] + "A")
    corpus = load(fasta)
    assert {run.interval.chrom for run in corpus.splits["train"]} == {"a", "c", "e"}
    assert left_out(corpus) == {"n_run": (4, 2), "duplicate": (1000, 2)}
    assert load(fasta, drop_duplicates=False).bases("train") == 2500


def test_near_duplicates_are_told_by_their_sketch(tmp_path: Path) -> None:
    one = random_dna(20_000, 0)
    mutated = list(one)
    for position in np.random.default_rng(1).integers(0, len(one), 20):  # a base in a thousand
        mutated[position] = "A" if mutated[position] != "A" else "C"
    copy = "".join(mutated)[::-1].translate(COMPLEMENT)
    fasta = write(tmp_path / "near.fa", a=one, b=copy, c=random_dna(20_000, 2), d=one[:12_000] + random_dna(8000, 3))
    assert set(left_out(load(fasta))) == set()
    assert left_out(load(fasta, near_duplicates=0.8)) == {"near_duplicate": (20_000, 1)}
    assert left_out(load(fasta, near_duplicates=0.4)) == {"near_duplicate": (40_000, 2)}


def test_only_what_lies_near_a_gene_is_kept(tmp_path: Path) -> None:
    fasta = write(tmp_path / "genes.fa", chr1=random_dna(5000, 0), chr2=random_dna(1000, 1))
    genes = tmp_path / "genes.gtf"
    exon = 'x\texon\t{}\t{}\t.\t+\t.\tgene_id "g{}"; transcript_id "t{}";\n'
    places_of_exons = ((1001, 1100), (1301, 1400), (3001, 3100))
    genes.write_text("".join("1\t" + exon.format(*p, n // 2, n // 2) for n, p in enumerate(places_of_exons)))
    corpus = load(fasta, genes=(str(genes),), gene_distance=250)
    assert places(corpus) == ["chr1:751-1650", "chr1:2751-3350"]
    assert left_out(corpus) == {"far_from_genes": (6000 - 900 - 600, 2)}
    with pytest.raises(InputError, match="genes and gene_distance must be given together"):
        load(fasta, genes=(str(genes),))
    genes.write_text("#!nothing\n")
    with pytest.raises(InputError, match=r"genes\.gtf: the file contains no genes"):
        load(fasta, genes=(str(genes),), gene_distance=250)


WRONG = {
    "two origins": ({"fasta": ("a.fa",), "built": "b", "held_out": {}}, "one of fasta, sources and built, not fasta"),
    "no origin": ({"held_out": {}}, "exactly one of fasta, sources and built, not none"),
    "nothing said of held-out regions": ({"fasta": ("a.fa",)}, "lacks the key held_out"),
    "a rule for a built corpus": ({"built": "b", "min_contig": 5}, "min_contig is defined by the built corpus"),
    "a share above 1": ({"fasta": ("a.fa",), "held_out": {}, "max_soft_masked": 1.5}, "must be between 0 and 1"),
    "a strand": ({"fasta": ("a.fa",), "held_out": {}, "strand": "reverse"}, "strand must be random, forward, both, or"),
    "a length": ({"fasta": ("a.fa",), "held_out": {}, "min_contig": -1}, "an integer of at least 0"),
    "a split called train": ({"fasta": ("a.fa",), "held_out": {"train": ("chr1",)}}, "other than train"),
    "a split with a slash": ({"fasta": ("a.fa",), "held_out": {"../test": ("chr1",)}}, "must be a single word"),
    "a region that is no list": ({"fasta": ("a.fa",), "held_out": {"test": "chr1"}}, "a list of regions"),
    "a region that is a number": ({"fasta": ("a.fa",), "held_out": {"test": (22,)}}, "a list of regions"),
    "weights without sources": ({"fasta": ("a.fa",), "held_out": {}, "weights": {"human": 1}}, "sources are not named"),
    "a weight of 0": (
        {"sources": {"human": ("a.fa",)}, "held_out": {}, "weights": {"human": 0}},
        "weight of human must be a number above 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "message"), WRONG.values(), ids=WRONG)
def test_recipes_that_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CorpusRecipe(**values)  # type: ignore[arg-type]


def test_two_files_of_one_name_need_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    files = [write(tmp_path / "hg.fa", chr1=random_dna(300, 0)), write(tmp_path / "b/hg.fa", chr1=random_dna(300, 1))]
    with pytest.raises(InputError, match=r"two assemblies have this name.* \(value 'hg'\)"):
        load_corpus(CorpusRecipe(fasta=tuple(files), held_out={}), TOKENIZER)
    named = CorpusRecipe(fasta={"one": files[0], "two": files[1]}, held_out={"test": ("two/chr1",)})
    corpus = load_corpus(named, TOKENIZER)
    assert [(run.assembly, len(run.ids)) for run in corpus.splits["train"]] == [("one", 300)]
    assert [(run.assembly, len(run.ids)) for run in corpus.splits["test"]] == [("two", 300)]


@pytest.mark.data
def test_the_bases_of_genolm_nano(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENOLM_DATA", str(data_dir))
    recipe = Recipe.load("genolm-nano").corpus
    corpus = load_corpus(recipe, TOKENIZER)
    contigs = [contig for fasta in recipe.fasta for contig in letters_of(data_dir / fasta.partition("/")[2])]
    taken = {name: corpus.bases(name) for name in corpus.splits}
    dropped = {rule: numbers["bases"] for rule, numbers in corpus.left_out.items()}
    assert sum(taken.values()) + sum(dropped.values()) == sum(len(letters) for _, letters in contigs)
    assert dropped["n_run"] == sum(letters.count(b"N") for _, letters in contigs)
    held_out = {"chr9", "chr21"}  # whole contigs; the recipe's other splits are parts of them
    assert taken["validation"] == sum(
        len(letters) - letters.count(b"N") for name, letters in contigs if name in held_out
    )


def letters_of(path: Path) -> list[tuple[str, bytes]]:
    """Name and upper-case bases of every record of a FASTA, everything but A, C, G and T read as N."""
    records = gzip.decompress(path.read_bytes()).split(b">")[1:]
    heads = [record.partition(b"\n") for record in records]
    return [
        (head.split()[0].decode(), re.sub(rb"[^ACGT]", b"N", body.replace(b"\n", b"").upper()))
        for head, _, body in heads
    ]


@pytest.mark.data
def test_haplotypes_of_one_locus_are_near_duplicates(data_dir: Path) -> None:
    fasta = str(data_dir / "human/LPA_14_haplotypes.fa.gz")
    recipe = CorpusRecipe(fasta={"lpa": fasta}, held_out={}, near_duplicates=0.9)
    corpus = load_corpus(recipe, TOKENIZER)
    haplotypes = letters_of(data_dir / "human/LPA_14_haplotypes.fa.gz")
    bases, contigs = left_out(corpus)["near_duplicate"]
    assert 0 < contigs < len(haplotypes)
    assert bases + corpus.bases("train") == sum(len(letters) for _, letters in haplotypes)
    assert len(load_corpus(replace(recipe, near_duplicates=1.0), TOKENIZER).splits["train"]) == len(haplotypes)


def test_the_shipped_recipe_writes_out_every_key() -> None:
    written = read_mapping("genolm-nano")[1]["corpus"]
    assert set(written) == {item.name for item in fields(CorpusRecipe)}
