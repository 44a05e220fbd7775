"""An index that does not fit its FASTA is never used: no base is read from a wrong place."""

import os
import random
from pathlib import Path

import numpy as np
import pysam
import pytest
from tests.noted import no_notes, noted

from genolm.errors import InputError
from genolm.genome.fasta import Genome

SHORT = {"a": "ACGTTGCA" * 30, "b": "GGGTTTAC" * 20, "c": "TTTTGGGG" * 15}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "genolm" / "fasta"


def text_of(contigs, width=20):
    lines = []
    for name, bases in contigs.items():
        lines += [f">{name} described"] + [bases[i : i + width] for i in range(0, len(bases), width)]
    return "".join(f"{line}\n" for line in lines).encode()


def write(path, text):
    """A file, compressed with bgzip if its name says so."""
    if path.suffix == ".gz":
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(text)
    else:
        path.write_bytes(text)
    return path


def indexed(path, contigs):
    write(path, text_of(contigs))
    Genome(path).close()
    return path


def contents(genome):
    return {name: genome.fetch(name, 0, length) for name, length in genome.lengths.items()}


@pytest.mark.parametrize("name", ["g.fa", "g.fa.gz"])
@pytest.mark.parametrize(
    ("contigs", "width"),
    [
        (SHORT, 30),
        (SHORT | {"a": "ACGTTGCA" * 30 + "AC"}, 20),
        ({"a": "ACGTTGCA" * 29, "b": "GGGTTTAC" * 21, "c": "TTTTGGGG" * 16}, 20),
        ({"a": "ACGTTGCA" * 30, "x": "GGGTTTAC" * 20, "c": "TTTTGGGG" * 15}, 20),
        ({"b": "GGGTTTAC" * 30, "a": "ACGTTGCA" * 20, "c": "TTTTGGGG" * 15}, 20),
        (SHORT | {"d": "A"}, 20),
        (SHORT | {"c": "TTTTGGGG" * 15 + "A"}, 20),
        ({"z": "ACGT" * 10}, 20),
        ({"a": "ACGTTGCA" * 10}, 30),
    ],
    ids=["width", "longer", "moved", "renamed", "swapped", "added", "longer at the end", "shorter", "shorter lines"],
)
def test_an_index_of_other_content_is_replaced_whatever_the_times_say(tmp_path, cache, name, contigs, width):
    path = indexed(tmp_path / name, SHORT)
    before = Path(f"{path}.fai").read_bytes()
    write(path, text_of(contigs, width))
    os.utime(path, (1, 1))
    with noted(rf"{name}: its index {name}\.fai does not match \(.*\); a new one is stored in"):
        genome = Genome(path)
    assert contents(genome) == contigs
    assert Path(f"{path}.fai").read_bytes() == before
    assert any(cache.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.partition(b"\n")[0] + b"\n",
        lambda text: text[:-6],
        lambda text: text.replace(b"a\t", b"b\t", 1),
        lambda text: text.partition(b"\n")[2],
        lambda text: b"",
        lambda text: b"not an index\n",
        lambda text: text.replace(b"\t20\t21", b"\t21\t22"),
        lambda text: text.replace(b"\t240\t", b"\t239\t"),
    ],
    ids=["first contig only", "cut", "renamed", "without the first", "empty", "text", "other lines", "a base less"],
)
def test_a_damaged_index_is_replaced(tmp_path, damage):
    path = indexed(tmp_path / "g.fa", SHORT)
    index = Path(f"{path}.fai")
    index.write_bytes(damage(index.read_bytes()))
    with noted(r"g\.fa: its index g\.fa\.fai does not match"):
        assert contents(Genome(path)) == SHORT


@pytest.mark.parametrize("kind", ["other", "cut", "shifted", "wrong size"])
def test_a_block_index_that_does_not_fit_is_replaced(tmp_path, kind):
    bases = "".join(random.Random(3).choices("ACGT", k=300_000))
    path = indexed(tmp_path / "g.fa.gz", {"a": bases, "b": bases[:99]})
    other = indexed(tmp_path / "o.fa.gz", {"a": bases[::-1]})
    index = Path(f"{path}.gzi")
    numbers = np.frombuffer(index.read_bytes(), "<u8").copy()
    if kind == "other":
        numbers = np.frombuffer(Path(f"{other}.gzi").read_bytes(), "<u8")
    elif kind == "cut":
        numbers = numbers[:-1]
    elif kind == "shifted":
        numbers[1] += 7
    else:
        numbers[4] -= 1
    index.write_bytes(numbers.tobytes())
    with noted(r"g\.fa\.gz: its index .* does not match \(the \.gzi"):
        genome = Genome(path)
    assert genome.fetch("a", 0, 300_000) == bases


def test_an_index_in_the_cache_is_compared_too(tmp_path, cache):
    path = indexed(tmp_path / "g.fa", SHORT)
    Path(f"{path}.fai").write_text("")
    with noted():
        Genome(path).close()
    (kept,) = cache.iterdir()
    kept.write_text("a\t9\t3\t20\t21\n")
    with noted():
        assert contents(Genome(path)) == SHORT


def test_a_file_that_ends_before_its_index_is_refused(tmp_path):
    path = indexed(tmp_path / "g.fa", SHORT)
    os.truncate(path, 500)
    os.utime(path, (1, 1))
    message = r"g\.fa: the file ends before the last base of c: .* or its index .*g\.fa\.fai belongs to another file"
    with pytest.raises(InputError, match=message):
        Genome(path)


def test_a_file_that_shrinks_while_it_is_open_is_noticed(tmp_path):
    path = tmp_path / "g.fa"
    genome = Genome(write(path, text_of({"chr1": "ACGT" * 40_000}, 60)))
    os.truncate(path, 100_000)
    with pytest.raises(
        InputError,
        match=r"g\.fa: chr1:131073-160000 cannot be read .*: the file is truncated or closed",
    ):
        genome.fetch("chr1", 149_000, 149_100)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_before_the_first_record(tmp_path, end):
    path = write(tmp_path / "g.fa", b"\xef\xbb\xbf" + end.join([b">a x", b"ACGT", b"AC", b">b", b"GGTT", b""]))
    for _ in range(2):
        assert contents(Genome(path)) == {"a": "ACGTAC", "b": "GGTT"}
    assert sorted(name.name for name in tmp_path.iterdir()) == ["g.fa", "g.fa.fai"]
    packed = write(tmp_path / "p.fa.gz", path.read_bytes())
    with pytest.raises(
        InputError,
        match=r"p\.fa\.gz: a byte order mark is not supported in an indexed bgzip file; remove it: bgzip -dc",
    ):
        Genome(packed)


@pytest.mark.parametrize(
    "text",
    [
        b"\n\n>a\nACGT\nAC\n\n\n>b  \nGG\n\n",
        b">a\r\nACGT\r\nAC\r\n>b\r\nGG",
        b">a \t x\nACGT \nAC \n>b\nGG\t",
        b">a\nACGTAC\n>b\nGG",
    ],
    ids=["blank lines", "Windows", "spaces", "one line"],
)
@pytest.mark.parametrize("name", ["g.fa", "g.fa.gz"])
def test_an_index_of_an_unusual_file_fits(tmp_path, name, text):
    path = write(tmp_path / name, text)
    with no_notes():
        for _ in range(2):
            assert contents(Genome(path)) == {"a": "ACGTAC", "b": "GG"}
    assert not (tmp_path / "cache").exists()
