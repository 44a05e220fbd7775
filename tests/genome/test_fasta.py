import gzip
import multiprocessing
import os
import pickle
import random
import threading
import time
from pathlib import Path

import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequence import reverse_complement
from genolm.genome.vcf.vcf_records import read_variants

RANDOM = random.Random(7)
CONTIGS = {
    "chr1": "".join(RANDOM.choices("ACGT", k=150_000)),
    "chr2": "acgtnNNNgtcaA",
    "chrM": "GATTACA",
    "scaffold": "C" * 61,
}


def write_fasta(path: Path, contigs=CONTIGS, width=60, end="\n") -> Path:
    lines = []
    for name, bases in contigs.items():
        lines += [f">{name} described"] + [bases[i : i + width] for i in range(0, len(bases), width)]
    path.write_bytes((end.join(lines) + end).encode())
    return path


def bgzip(path: Path, data: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(data)
    return path


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    with Genome(write_fasta(tmp_path_factory.mktemp("genome") / "g.fa")) as genome:
        yield genome


def test_lengths_and_repr(genome):
    assert genome.lengths == {name: len(bases) for name, bases in CONTIGS.items()}
    assert "4 contigs, 150,081 bases" in repr(genome)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("chr2:1-13", "ACGTNNNNGTCAA"),
        ("chr2:2-4:-", "ACG"),
        ("chr2:-1-3", "NNACG"),
        ("chr2:11-15:-", "NNTTG"),
        ("chr2:-1-15", "NNACGTNNNNGTCAANN"),
        ("chrM:7-7", "A"),
    ],
)
def test_reading(genome, interval, expected):
    assert genome[Interval.parse(interval)] == expected


@pytest.mark.parametrize("place", [(-5, 0), (13, 20), (100, 101), (-9, -2)])
def test_fully_off_the_contig(genome, place):
    with pytest.raises(InputError, match=r"g\.fa: the interval lies beyond the ends of chr2 \(1-13\): is it of"):
        genome[Interval("chr2", *place)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(-100, 149_999), length=st.integers(1, 70_000))
def test_blocks_join_without_a_seam(genome, start, length):
    expected = "".join(CONTIGS["chr1"][max(start, 0) : max(start + length, 0)])
    if start + length > 0:
        assert genome.fetch("1", start, start + length).strip("N") == expected
        assert len(genome.fetch("1", start, start + length)) == length


def test_long_stretches_are_read_past_the_blocks(genome, monkeypatch):
    monkeypatch.setattr("genolm.genome.fasta._BLOCKS_KEPT", 2)
    assert genome.fetch("chr1", 0, 150_000) == CONTIGS["chr1"]
    assert genome.fetch("chr1", 65_000, 66_000) == CONTIGS["chr1"][65_000:66_000]
    assert genome.fetch("chr1", 140_000, 141_000) == CONTIGS["chr1"][140_000:141_000]


def test_names(genome, tmp_path):
    for asked, name in {
        "1": "chr1",
        "chr1": "chr1",
        "Chr1": "chr1",
        "MT": "chrM",
        "M": "chrM",
        "chrMT": "chrM",
    }.items():
        assert genome.resolve(asked) == name and asked in genome
    assert "3" not in genome and 1 not in genome
    with pytest.raises(InputError, match=r"no such contig; the genome has chr1, chr2, chrM, scaffold \(value '3'\)"):
        genome.fetch("3", 0, 1)
    both = Genome(write_fasta(tmp_path / "both.fa", {"1": "A", "chr1": "C", "MT": "G"}))
    assert (both.fetch("1", 0, 1), both.fetch("chr1", 0, 1), both.fetch("chrM", 0, 1)) == ("A", "C", "G")
    with pytest.raises(InputError, match="ambiguous contig name: it matches 1 and chr1"):
        both.resolve("CHR1")
    many = Genome(write_fasta(tmp_path / "many.fa", {f"c{i}": "A" for i in range(9)}))
    with pytest.raises(InputError, match=r"c0, c1, c2, c3, c4, c5, … \(9 contigs\)"):
        many.resolve("x")


def test_ambiguous_letters(tmp_path):
    path = write_fasta(tmp_path / "g.fa", {"c": "ACRGTyA"})
    assert Genome(path).fetch("c", 0, 7) == "ACNGTNA"
    assert Genome(path, iupac="keep")[Interval("c", 0, 7, "-")] == reverse_complement("ACRGTYA")
    strict = Genome(path, iupac="raise")
    assert strict.fetch("c", 3, 5) == "GT"
    with pytest.raises(
        InputError,
        match=r"g\.fa: invalid letter at c:6 of g\.fa: not a base, or an ambiguity code",
    ):
        strict.fetch("c", 3, 7)


@pytest.mark.parametrize("letters", ["ACE", "AC*", "AC-"])
def test_letters_that_are_no_bases(tmp_path, letters):
    with pytest.raises(
        InputError,
        match=r"g\.fa: invalid letter at c:3 of g\.fa: not a base, or an ambiguity code",
    ):
        Genome(write_fasta(tmp_path / "g.fa", {"c": letters})).fetch("c", 0, 3)


def test_windows_line_ends_and_leading_blank_lines(tmp_path):
    dos = Genome(write_fasta(tmp_path / "dos.fa", end="\r\n", width=7))
    assert dos.fetch("chr2", 5, 13) == "NNNGTCAA" and dos.fetch("chrM", 0, 7) == "GATTACA"
    blank = tmp_path / "blank.fa"
    blank.write_text("\n\n>a\nACGT\nAC\n\n\n>b\nGG\n")
    assert Genome(blank).lengths == {"a": 6, "b": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "g.fa: the FASTA file is empty"),
        ("\n\n", "the FASTA file is empty"),
        ("ACGT\n", r"g.fa:1: not FASTA: a record must start with '>' \(value 'ACGT'\)"),
        ("@read\nACGT\n+\nIIII\n", "g.fa:1: not FASTA"),
        (">", "g.fa:1: the record has no name"),
        (">a\nAC\n> \nAC\n", "g.fa:3: the record has no name"),
        (">a\n>b\nAC\n", r"g.fa:1: the record has no sequence \(value 'a'\)"),
        (">a\nAC\n>b\n", r"g.fa:3: the record has no sequence \(value 'b'\)"),
        (">a\nAC\n>b\nAC\n>a x\nGG\n", r"g.fa:5: duplicate record name \(first in line 1\) \(value 'a'\)"),
        (">a\nACGT\nAC\nACGT\n", r"g\.fa:3: line of 2 letters in a record with lines of 4; rewrap the file"),
        (">a\nACGT\nACGTA\n", r"g\.fa:3: line of 5 letters in a record with lines of 4; rewrap the file"),
        (">a\nACGT\n\nACGT\n", r"g\.fa:3: empty line inside the record, which an index does not allow"),
    ],
)
def test_files_that_are_no_fasta(tmp_path, capfd, text, message):
    path = tmp_path / "g.fa"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        Genome(path)
    assert os.listdir(tmp_path) == ["g.fa"]
    assert capfd.readouterr().err == ""


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.fa: no such file"):
        Genome(tmp_path / "nothing.fa")
    with pytest.raises(InputError, match="test_files_that_cannot_be_read0: expected a file, found a folder"):
        Genome(tmp_path)


def test_gzip_says_which_command_helps(tmp_path):
    path = tmp_path / "g.fa.gz"
    path.write_bytes(gzip.compress(b">a\nACGT\n"))
    with pytest.raises(
        InputError,
        match=r"g\.fa\.gz: gzip does not support random access; use bgzip: gunzip -c g\.fa\.gz \| bgzip > g\.fa\.bgz",
    ):
        Genome(path)


def test_bgzip_equals_plain(genome, tmp_path):
    packed = Genome(bgzip(tmp_path / "g.fa.gz", genome.path.read_bytes()))
    assert packed.lengths == genome.lengths
    for start in range(0, 150_000, 7_001):
        assert packed.fetch("chr1", start, start + 300) == genome.fetch("chr1", start, start + 300)
    assert packed.fingerprint() == genome.fingerprint()
    assert {name.name for name in tmp_path.iterdir()} == {"g.fa.gz", "g.fa.gz.fai", "g.fa.gz.gzi"}


@pytest.mark.parametrize("cut", [28, 300])
def test_truncated_bgzip(tmp_path, capfd, cut):
    whole = bgzip(tmp_path / "whole.fa.gz", write_fasta(tmp_path / "g.fa").read_bytes()).read_bytes()
    path = tmp_path / "cut.fa.gz"
    path.write_bytes(whole[:-cut])
    with pytest.raises(
        InputError, match=r"cut\.fa\.gz: the compressed file is truncated \(the final bgzip block is missing\)"
    ):
        Genome(path)
    assert capfd.readouterr().err == ""


def test_text_of_a_place_is_read_as_browsers_write_it(genome):
    assert genome["chr2:2-4:-"] == genome[Interval("chr2", 1, 4, "-")] == "ACG"
    with pytest.raises(
        InputError, match=r"invalid interval: expected e\.g\. chr22:1,001-2,000 \(1-based, inclusive\) \(value 'chr2'\)"
    ):
        genome["chr2"]


def test_another_policy_for_ambiguous_letters_is_refused_at_once(genome):
    with pytest.raises(InputError, match=r"iupac must be one of N, raise, keep \(value 'sample'\)"):
        Genome(genome.path, iupac="sample")


def test_an_old_index_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = write_fasta(tmp_path / "g.fa", {"a": "ACGT"})
    Genome(path).close()
    kept = Path(f"{path}.fai").read_bytes()
    write_fasta(path, {"longer": "GGGG", "b": "TTTT"})
    os.utime(path, (time.time() + 10, time.time() + 10))
    assert Genome(path).fetch("b", 0, 4) == "TTTT"
    assert Path(f"{path}.fai").read_bytes() == kept


def test_the_index_goes_to_the_cache_when_the_folder_is_read_only(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "readonly"
    folder.mkdir()
    path = write_fasta(folder / "g.fa")
    folder.chmod(0o555)
    try:
        assert Genome(path).fetch("chrM", 0, 7) == "GATTACA"
        assert os.listdir(folder) == ["g.fa"]
        made = {name: name.stat().st_mtime_ns for name in (tmp_path / "cache/genolm/fasta").iterdir()}
        assert Genome(path).lengths["chrM"] == 7
        assert {name: name.stat().st_mtime_ns for name in made} == made and len(made) == 1
    finally:
        folder.chmod(0o755)


def test_fingerprint_is_of_the_content(genome, tmp_path):
    masked = {name: bases.lower() for name, bases in CONTIGS.items()}
    assert Genome(write_fasta(tmp_path / "masked.fa", masked, width=50)).fingerprint() == genome.fingerprint()
    changed = CONTIGS | {"chr1": CONTIGS["chr1"][:77_777] + "N" + CONTIGS["chr1"][77_778:]}
    assert Genome(write_fasta(tmp_path / "changed.fa", changed)).fingerprint() != genome.fingerprint()
    renamed = {name.removeprefix("chr"): bases for name, bases in CONTIGS.items()}
    assert Genome(write_fasta(tmp_path / "renamed.fa", renamed)).fingerprint() != genome.fingerprint()


def test_pickling(genome):
    copy = pickle.loads(pickle.dumps(Genome(genome.path, iupac="keep")))
    assert copy.iupac == "keep" and copy.lengths == genome.lengths and copy.fetch("M", 0, 3) == "GAT"


def test_closing(genome):
    with Genome(genome.path) as opened:
        opened.fetch("chrM", 0, 3)
    with pytest.raises(InputError, match="cannot be read"):
        opened.fetch("chrM", 0, 3)


def _check_places(genome, seed, failures):
    chooser = random.Random(seed)
    for _ in range(200):
        start = chooser.randrange(149_000)
        if genome.fetch("chr1", start, start + 500) != CONTIGS["chr1"][start : start + 500]:
            failures.append(start)


def test_threads_and_forks_read_the_right_bases(tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.genome.fasta._BLOCKS_KEPT", 1)
    genome = Genome(bgzip(tmp_path / "g.fa.gz", write_fasta(tmp_path / "g.fa").read_bytes()))
    failures: list[int] = []
    threads = [threading.Thread(target=_check_places, args=(genome, seed, failures)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with multiprocessing.get_context("fork").Manager() as manager:
        shared = manager.list()
        children = [
            multiprocessing.get_context("fork").Process(target=_check_places, args=(genome, s, shared)) for s in (7, 8)
        ]
        for child in children:
            child.start()
        _check_places(genome, 9, failures)
        for child in children:
            child.join()
        assert failures == [] and list(shared) == [] and all(child.exitcode == 0 for child in children)


@pytest.mark.data
def test_every_reference_allele_of_the_real_variants(data_dir):
    with Genome(data_dir / "human/GRCh38.slices.fa.gz") as genome:
        checked = 0
        for record in read_variants(data_dir / "variants/vkgl.GRCh38.slices.vcf.gz"):
            for variant in filter(None, record.variants()):
                variant.check(genome)
                checked += 1
        assert checked > 0


@pytest.mark.data
def test_real_haplotypes_without_an_index(data_dir):
    path = data_dir / "human/LPA_14_haplotypes.fa.gz"
    records = [record.partition("\n") for record in gzip.decompress(path.read_bytes()).decode().split(">")[1:]]
    with Genome(path) as genome:
        assert list(genome.lengths) == [head.split()[0] for head, _, _ in records]
        for head, _, body in records:
            assert genome.fetch(head.split()[0], 0, 1000) == body.replace("\n", "")[:1000].upper()
    with pytest.raises(
        InputError,
        match=r"human/other_slices\.fa\.gz: gzip does not support random access; use bgzip:",
    ):
        Genome(data_dir / "human/other_slices.fa.gz")
