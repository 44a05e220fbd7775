"""Haplotypes of a population: rows carry the alleles of the people they are drawn from."""

import gzip
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest
from tests.training.conftest import random_dna

import genolm
from genolm.errors import InputError, RunError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import Corpus, DocumentSpans, RowOrder, load_corpus
from genolm.training.corpus.haplotypes import Haplotypes, read_haplotypes
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import CorpusRecipe, HaplotypeRecipe, Recipe

CORPUS = NucleotideTokenizer(iupac="N")
OTHER = str.maketrans("ACGT", "CGTA")
COMPLEMENT = str.maketrans("ACGT", "TGCA")
SAMPLES = ("ada", "bo")
# Place (1-based) on chr1, and the alleles of both samples.
CALLS = {100: ("0|1", "1|1"), 101: ("1|0", "0|0"), 640: ("0|0", "0|1"), 1500: ("1|1", "./.")}


def sequences() -> dict[str, str]:
    return {"chr1": random_dna(1000, 1) + "N" * 20 + random_dna(1000, 2), "chr2": random_dna(600, 3)}


def write_vcf(folder: Path, records: list[tuple[str, int, str, str, tuple[str, ...]]], samples=SAMPLES) -> Path:
    path = folder / "people.vcf"
    head = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']
    head += [f"##contig=<ID={name},length={len(text)}>" for name, text in sequences().items()]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"] + (
        ["FORMAT", *samples] if samples else []
    )
    lines = [
        "\t".join([chrom, str(pos), ".", ref, alt, ".", ".", "."] + (["GT", *calls] if samples else []))
        for chrom, pos, ref, alt, calls in records
    ]
    path.write_text("\n".join([*head, "\t".join(columns), *lines]) + "\n")
    return path


def substitutions() -> list[tuple[str, int, str, str, tuple[str, ...]]]:
    text = sequences()["chr1"]
    return [("chr1", pos, text[pos - 1], text[pos - 1].translate(OTHER), calls) for pos, calls in CALLS.items()]


def corpus_recipe(folder: Path) -> CorpusRecipe:
    fasta = folder / "people.fa"
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in sequences().items()))
    return CorpusRecipe(fasta=(str(fasta),), held_out={"test": ("chr2",)}, min_run=50)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return load_corpus(corpus_recipe(tmp_path), CORPUS)


def read(recipe: HaplotypeRecipe, corpus: Corpus) -> Haplotypes:
    return read_haplotypes(recipe, corpus.splits["train"], CORPUS)


def expected(haplotype: int) -> str:
    """chr1 as one of the four haplotypes has it."""
    letters = list(sequences()["chr1"])
    for pos, calls in CALLS.items():
        allele = calls[haplotype // 2].replace("/", "|").split("|")[haplotype % 2]
        if allele == "1":
            letters[pos - 1] = letters[pos - 1].translate(OTHER)
    return "".join(letters)


def test_a_stretch_reads_as_each_haplotype_has_it(corpus: Corpus, tmp_path: Path) -> None:
    found = read(HaplotypeRecipe((str(write_vcf(tmp_path, substitutions())),)), corpus)
    assert (found.samples, len(found)) == (SAMPLES, 4)
    train = corpus.splits["train"]
    for document in range(2):
        ids, start = train.ids(document), int(train.start_N[document])
        for haplotype in range(4):
            for first, last in ((0, 1000), (99, 101), (99, 100), (100, 640), (480, 700)):
                text = CORPUS.decode(found.read(document, first, ids[first:last], haplotype))
                assert text == expected(haplotype)[start + first : start + last]
        assert CORPUS.decode(ids) == sequences()["chr1"][start : start + 1000], "the corpus itself stays as it is"


def test_a_built_corpus_reads_the_same_rows(corpus: Corpus, tmp_path: Path) -> None:
    recipe = HaplotypeRecipe((str(write_vcf(tmp_path, substitutions())),))
    folder = genolm.corpus.build(corpus_recipe(tmp_path), tmp_path / "built")
    built = load_corpus(CorpusRecipe(built=str(folder)), CORPUS)
    rows = [
        RowOrder(one.splits["train"], 199, 4, 0, CORPUS, read(recipe, one)).batch(step).ids_RL
        for one in (corpus, built)
        for step in range(6)
    ]
    assert all(np.array_equal(one, other) for one, other in zip(rows[:6], rows[6:], strict=True))
    plain = RowOrder(corpus.splits["train"], 199, 4, 0, CORPUS)
    assert any(not np.array_equal(rows[step], plain.batch(step).ids_RL) for step in range(6))


def test_rows_are_haplotypes_on_either_strand_and_all_of_them_come(corpus: Corpus, tmp_path: Path) -> None:
    found = read(HaplotypeRecipe((str(write_vcf(tmp_path, substitutions())),)), corpus)
    order = RowOrder(corpus.splits["train"], 199, 4, 0, CORPUS, found)
    readers, strands = set(), set()
    for step in range(60):
        rows = order.batch(step)
        for ids in rows.ids_RL if rows.documents_RL is None else ():
            text = CORPUS.decode(ids)
            carriers = {
                strand: frozenset(haplotype for haplotype in range(4) if own in expected(haplotype))
                for strand, own in ((False, text), (True, text[::-1].translate(COMPLEMENT)))
            }
            assert any(carriers.values()), "no haplotype reads so"
            readers |= set(carriers.values())
            strands |= {strand for strand, found in carriers.items() if found}
    # Both sides of every place where haplotypes differ.
    apart = [{0}, {1, 2, 3}, {3}, {0, 1, 2}, {0, 1}, {2, 3}]
    assert readers == {frozenset(), frozenset(range(4)), *map(frozenset, apart)}
    assert strands == {False, True}
    again = RowOrder(corpus.splits["train"], 199, 4, 0, CORPUS, found)
    assert np.array_equal(again.batch(37).ids_RL, order.batch(37).ids_RL)


def test_a_share_of_the_pieces_stays_the_reference(corpus: Corpus, tmp_path: Path) -> None:
    found = read(HaplotypeRecipe((str(write_vcf(tmp_path, substitutions())),), share=0.25), corpus)
    drawn = found.sample(8000, np.random.default_rng(0))
    assert abs((drawn >= 0).mean() - 0.25) < 0.025
    assert np.bincount(drawn[drawn >= 0], minlength=4).min() > 400


def test_samples_are_chosen_and_other_alleles_left_out_and_counted(corpus: Corpus, tmp_path: Path) -> None:
    text = sequences()["chr1"]
    records = [
        *substitutions(),
        ("chr1", 1010, "N", "A", ("1|1", "1|1")),  # between two documents
        ("chr1", 1800, text[1799:1802], text[1799], ("1|1", "1|1")),
        ("chr1", 1850, text[1849], "<DEL>", ("1|1", "1|1")),
        ("chr2", 10, sequences()["chr2"][9], sequences()["chr2"][9].translate(OTHER), ("1|1", "1|1")),
    ]
    path = str(write_vcf(tmp_path, records))
    found = read(HaplotypeRecipe((path,), samples=("bo",)), corpus)
    assert found.samples == ("bo",)
    assert found.left_out == {"not a substitution": 2, "outside training sequence": 2}
    ids = corpus.splits["train"].ids(0)
    assert CORPUS.decode(found.read(0, 0, ids, 1)) == expected(3)[:1000]


def test_alternatives_of_one_record_go_to_their_carriers(corpus: Corpus, tmp_path: Path) -> None:
    ref = sequences()["chr1"][199]
    first, second = [base for base in "ACGT" if base != ref][:2]
    path = write_vcf(tmp_path, [("chr1", 200, ref, f"{first},{second}", ("0|1", "2|0"))])
    found, ids = read(HaplotypeRecipe((str(path),)), corpus), corpus.splits["train"].ids(0)
    assert [CORPUS.decode(found.read(0, 199, ids[199:200], n)) for n in range(4)] == [ref, first, second, ref]


@pytest.mark.parametrize(
    ("records", "settings", "message"),
    [
        ([("chr1", 100, "?", "x", ("0|1", "0|0"))], {}, r"REF allele is ., but the sequence has .: .*chr1:100"),
        ([("chr1", 100, "=", "x", ("0/1", "0|0"))], {}, "genotype of ada is not phased.*chr1:100"),
        ([("chr2", 10, "=", "x", ("0|1", "0|0"))], {}, "no substitution of the haplotypes lies in training sequence"),
        ([], {"samples": ("eve",)}, "no sample with this name .*'eve'"),
        ([], {"assembly": "hg19"}, "the assembly of the haplotypes has no training sequence .*'hg19'"),
        ([], {"vcf": ("/nowhere.vcf",)}, "VCF file does not exist"),
        ([], {"vcf": ("people.fa",)}, "people.fa:1: not VCF"),
    ],
)
def test_what_is_wrong_with_the_files_is_named(
    records: list, settings: dict, message: str, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bases = {"=": lambda base: base, "?": lambda base: base.translate(OTHER)}
    real = []
    for contig, place, ref, _, calls in records:
        written = bases[ref](sequences()[contig][place - 1])
        real.append((contig, place, written, written.translate(OTHER), calls))
    path = write_vcf(tmp_path, real or substitutions())
    with pytest.raises(InputError, match=message):
        read(HaplotypeRecipe(**{"vcf": (str(path),), **settings}), corpus)


def test_a_file_without_genotypes_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    path = write_vcf(tmp_path, [(*record[:4], ()) for record in substitutions()], samples=())
    with pytest.raises(InputError, match=r"people\.vcf: haplotypes require genotypes \(GT\), but this file has none"):
        read(HaplotypeRecipe((str(path),)), corpus)


def test_several_assemblies_need_a_name(tmp_path: Path) -> None:
    first = corpus_recipe(tmp_path)
    second = tmp_path / "second.fa"
    second.write_text(f">chr1\n{random_dna(900, 8)}\n")
    two = load_corpus(replace(first, fasta=(*first.fasta, str(second)), held_out={"test": ("people/chr2",)}), CORPUS)
    path = str(write_vcf(tmp_path, substitutions()))
    with pytest.raises(InputError, match="haplotypes must name their assembly, one of people, second"):
        read(HaplotypeRecipe((path,)), two)
    assert len(read(HaplotypeRecipe((path,), assembly="people"), two)) == 4


def test_a_run_learns_from_haplotypes_and_goes_on_with_the_same_alone(masked_recipe: Recipe, tmp_path: Path) -> None:
    path = write_vcf(tmp_path, substitutions())
    recipe = replace(masked_recipe, corpus=corpus_recipe(tmp_path), haplotypes=HaplotypeRecipe((str(path),)), steps=6)
    reports: list[dict] = []
    whole = pretrain(recipe, tmp_path / "whole", log=reports.append)
    assert reports[0]["haplotypes"]["substitutions"] == 4
    pretrain(recipe, tmp_path / "parts", steps=3)
    again = pretrain(recipe, tmp_path / "parts", resume=True)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    plain = pretrain(replace(recipe, haplotypes=None), tmp_path / "plain")
    assert (plain / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes()
    held_out = [report["held_out_bits_per_base"] for report in reports if "held_out_bits_per_base" in report]
    assert held_out and genolm.load(whole).card.training["recipe"]["haplotypes"]["share"] == 1.0
    write_vcf(tmp_path, substitutions()[:3])
    with pytest.raises(RunError, match="training data or the weights of the start have changed"):
        pretrain(recipe, tmp_path / "parts", resume=True)


@pytest.mark.data
def test_the_thousand_genomes_slice_reads_as_phased(data_dir: Path, tmp_path: Path) -> None:
    with gzip.open(data_dir / "human/GRCh38.slices.fa.gz", "rt") as file:
        assert next(file).split()[0] == ">chr1"
        letters = "".join(line.strip() for line in itertools.islice(file, 2000))[:80_000]
    (tmp_path / "chr1.fa").write_text(f">chr1\n{letters}\n")
    corpus = load_corpus(CorpusRecipe(fasta=(str(tmp_path / "chr1.fa"),), held_out={}), CORPUS)
    vcf = data_dir / "variants/1000G_30x.chr1.10k-66k.vcf.gz"
    with gzip.open(vcf, "rt") as file:
        first, second, *_, last = next(line for line in file if line.startswith("#CHROM")).split()[9:]
    people = (first, second, last)
    found = read(HaplotypeRecipe((str(vcf),), samples=people), corpus)
    assert len(found) > 0
    train, inside = corpus.splits["train"], np.zeros(80_000, bool)
    for run in train:
        inside[run.interval.start : run.interval.end] = True
    for number, carried in enumerate(carried_substitutions(vcf, people)):
        changed = [read_as(found, train, document, number) for document in range(len(train))]
        assert sum(changed) == sum(inside[place - 1] for place in carried) > 0


def read_as(found: Haplotypes, train: DocumentSpans, document: int, haplotype: int) -> int:
    """Bases of a document that a haplotype has otherwise."""
    ids = train.ids(document)
    return int((found.read(int(train.buffer_N[document]), 0, ids, haplotype) != ids).sum())


def carried_substitutions(vcf: Path, people: tuple[str, str, str]) -> list[list[int]]:
    """Places of single-base alternatives of each haplotype, read out of the text of the file."""
    found: list[list[int]] = [[] for _ in range(2 * len(people))]
    with gzip.open(vcf, "rt") as file:
        for line in file:
            columns = line.rstrip("\n").split("\t")
            if line.startswith("#CHROM"):
                at = [columns.index(name) for name in people]
            if line.startswith("#") or len(columns[3]) + len(columns[4]) > 2:
                continue
            for number, allele in enumerate("|".join(columns[column][:3] for column in at).split("|")):
                if allele == "1":
                    found[number].append(int(columns[1]))
    return found


def test_text_compressed_and_bcf_read_the_same(corpus: Corpus, tmp_path: Path) -> None:
    plain = write_vcf(tmp_path, substitutions())
    packed, binary = tmp_path / "packed.vcf.gz", tmp_path / "people.bcf"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with pysam.VariantFile(str(plain)) as file, pysam.VariantFile(str(binary), "wb", header=file.header) as out:
        for record in file:
            out.write(record)
    digests = {read(HaplotypeRecipe((str(path),)), corpus).digest for path in (plain, packed, binary)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("genotype", "message"),
    [
        ("A|T", r"people\.vcf:7: the genotype of bo must be allele numbers, as in 0\|1, not 'A\|T'"),
        ("0|2", r"people\.vcf:7: bo has allele 2, but the record has 1 ALT alleles .*chr1:101"),
        ("0|1|1", r"people\.vcf:7: the genotype of bo must have at most 2 alleles, not 3"),
        ("1/0", r"people\.vcf:7: the genotype of bo is not phased"),
        ("", r"people\.vcf:7: the genotype of bo must be allele numbers"),
    ],
)
def test_a_genotype_that_cannot_be_read_is_named_with_its_line(
    genotype: str, message: str, corpus: Corpus, tmp_path: Path
) -> None:
    records = substitutions()[:2]
    records[1] = (*records[1][:4], ("0|1", genotype))
    with pytest.raises(InputError, match=message):
        read(HaplotypeRecipe((str(write_vcf(tmp_path, records)),)), corpus)


def test_a_row_cut_short_is_named_with_its_line(corpus: Corpus, tmp_path: Path) -> None:
    path = write_vcf(tmp_path, substitutions())
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:7], "\t".join(lines[7].split("\t")[:6])]) + "\n")
    with pytest.raises(
        InputError, match=r"people\.vcf:8: expected 11 columns separated by tabs as in the header, found 6"
    ):
        read(HaplotypeRecipe((str(path),)), corpus)
