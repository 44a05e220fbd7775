"""Byte-pair vocabularies out of FASTA files: what is drawn, what is written, what is refused."""

import errno
import gzip
import hashlib
import json
import random

import pytest

import genolm
from genolm.errors import InputError, ModelError, ResourceError, RunError
from genolm.genome.sequence import reverse_complement
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.zoo.zoo import ZOO
from genolm.tokens import BpeTokenizer, published
from genolm.training.vocabulary import train_tokenizer as vocabulary
from genolm.training.vocabulary.train_tokenizer import _chunks, inspect_tokenizer, train_tokenizer
from genolm.training.vocabulary.vocabulary_corpus import find_blocks, sample_blocks


def bases(length, seed=0):
    return "".join(random.Random(seed).choices("ACGT", weights=[3, 2, 2, 3], k=length))


@pytest.fixture
def fasta(tmp_path):
    """Three contigs of 70 kb, with N, lower case and an ambiguous letter, and a short one."""
    first, second = bases(30_000, 1), bases(40_000, 2)
    one, two = f"{first[:15_000]}\n{'N' * 500}\n{first[15_000:].lower()}", f"{second[:100]}R{second[100:]}"
    text = f">one\n{one}\n>two\n{two}\n>tiny\nACGT\n"
    path = tmp_path / "genome.fa"
    path.write_text(text)
    return path


def test_blocks_are_all_runs_of_bases_and_nothing_else(fasta):
    blocks = find_blocks([fasta])
    assert blocks.bases == 70_000  # R is left out, and so is the contig of four bases
    sequences = list(blocks.sequences())
    assert "".join(sequences) == bases(30_000, 1) + bases(40_000, 2)
    assert [len(sequence) for sequence in sequences] == [10_000, 5000, 10_000, 5000, 100, 10_000, 10_000, 10_000, 9900]
    (report,) = blocks.inputs
    assert report["sha256"] == hashlib.sha256(fasta.read_bytes()).hexdigest()
    assert (report["contigs"], report["bases"]) == (3, 70_505)


def test_held_out_blocks_are_never_trained_on(fasta):
    blocks = find_blocks([fasta])
    for seed in range(5):
        training, held_out = sample_blocks(blocks, 10**9, seed)
        assert training.bases + held_out.bases == 70_000
        assert held_out.bases >= 3500
        assert not set(map(tuple, training.places_B4)) & set(map(tuple, held_out.places_B4))
    assert sample_blocks(blocks, 15_000, 0)[0].bases < 30_000
    assert sample_blocks(blocks, 10**9, 0, held_out=False)[1].bases == 0


def test_draws_depend_on_the_seed(fasta):
    blocks = find_blocks([fasta])
    places = [sample_blocks(blocks, 20_000, seed)[0].places_B4.tolist() for seed in (0, 0, 1, 2)]
    assert places[0] == places[1]
    assert len({str(place) for place in places}) > 1


def test_chunks_of_both_strands(fasta):
    blocks = find_blocks([fasta])
    forward = list(_chunks(blocks, 512, "forward"))
    both = list(_chunks(blocks, 512, "both"))
    assert max(map(len, forward)) == 512
    assert both[::2] == forward
    assert both[1::2] == [reverse_complement(chunk) for chunk in forward]


def test_training_writes_a_folder_that_is_read_everywhere(fasta, tmp_path):
    out = tmp_path / "new" / "tokens"
    facts = train_tokenizer(fasta, out, vocab_size=100, seed=3)
    assert sorted(path.name for path in out.iterdir()) == ["tokenizer.json", "tokenizer_config.json", "training.json"]
    record = json.loads((out / "training.json").read_text())
    assert record["settings"] == {
        "vocab_size": 100, "seed": 3, "bases": 20_000_000, "chunk": 512, "max_length": 64, "strands": "forward",
        "n": "none",
    }  # fmt: skip
    speed = facts["sequence"].pop("megabases_per_second")
    assert speed > 0
    assert record == facts
    assert record["measured_on"] == "held-out blocks"
    tokenizer = BpeTokenizer.read(out)
    assert tokenizer.vocab_size == 100
    assert tokenizer.bases_per_token == round(record["sequence"]["bases_per_token"], 2)
    config = ZOO["tiny-random"].config
    assert config is not None
    assert read_tokenizer(out, config) == tokenizer


def test_same_files_and_seed_same_bytes(fasta, tmp_path):
    zipped = tmp_path / "zipped.fa.gz"
    zipped.write_bytes(gzip.compress(fasta.read_bytes()))
    for name, source, seed in (("a", fasta, 0), ("b", fasta, 0), ("c", fasta, 1), ("d", zipped, 0)):
        train_tokenizer([source], tmp_path / name, vocab_size=120, seed=seed, bases=20_000)
    files = {name: [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in "abcd"}
    assert files["a"] == files["b"]
    assert files["a"][0] == files["d"][0]
    assert files["a"][0] != files["c"][0]


def test_both_strands_are_trained_on_alike(tmp_path):
    """A chunk and its reverse complement are the same corpus, and another than the chunk alone."""
    chunk = bases(512)
    files = {}
    cases = (("a", chunk, "both"), ("b", reverse_complement(chunk), "both"), ("c", chunk, "forward"))
    for name, sequence, strands in cases:
        (tmp_path / f"{name}.fa").write_text(f">one\n{sequence}\n")
        train_tokenizer(tmp_path / f"{name}.fa", tmp_path / name, vocab_size=45, strands=strands)
        files[name] = (tmp_path / name / "tokenizer.json").read_bytes()
    assert files["a"] == files["b"]
    assert files["a"] != files["c"]


def test_one_block_is_measured_on_random_bases(tmp_path):
    small = tmp_path / "small.fa"
    small.write_text(f">one\n{bases(3000)}\n")
    assert train_tokenizer(small, tmp_path / "out", vocab_size=40)["measured_on"] == "random bases"


def test_inspecting_what_there_is(fasta, tmp_path):
    random_facts = inspect_tokenizer("BPE_32k")
    assert (random_facts["measured_on"], random_facts["sequence"]["bases"]) == ("random bases", 200_000)
    facts = inspect_tokenizer("t2t_1000h_multi_32k", [fasta], bases=25_000)
    assert facts["measured_on"] == "FASTA"
    assert 25_000 <= facts["sequence"]["bases"] < 40_000
    (tmp_path / "tokenizer.json").write_bytes(published("BPE_32k").vocabulary.content)
    assert inspect_tokenizer(tmp_path)["vocabulary"] == random_facts["vocabulary"]
    assert genolm.tokenizer.inspect is inspect_tokenizer
    assert genolm.tokenizer.train is train_tokenizer


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"vocab_size": 100_000}, InputError, "reduce the vocabulary size, or provide more sequence"),
        ({"vocab_size": 100, "chunk": 32}, ModelError, r"chunk \(32\) must be at least max_length \(64\)"),
        ({"vocab_size": 9}, InputError, r"vocab_size must be at least 10 \(value 9\)"),
        ({"vocab_size": 10, "n": "letter"}, ModelError, "must be more than 10, the number of special tokens"),
    ],
)
def test_what_cannot_be_leaves_nothing(fasta, tmp_path, settings, error, message):
    with pytest.raises(error, match=message):
        train_tokenizer(fasta, tmp_path / "out", **settings)
    assert list(tmp_path.iterdir()) == [fasta]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the FASTA file is empty"),
        (f">one\n{'N' * 5000}\n>two\n{'ACGTN' * 100}\n", "no stretch of at least 50 bases A, C, G, T in"),
        (">one\nACGTX\n", "not a base at position 5"),
    ],
)
def test_files_without_sequence(tmp_path, text, message):
    path = tmp_path / "bad.fa"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        train_tokenizer(path, tmp_path / "out", vocab_size=40)
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_the_same_file_twice_and_standard_input(fasta):
    with pytest.raises(InputError, match="at least one FASTA file"):
        find_blocks([])
    with pytest.raises(InputError, match="is given twice"):
        find_blocks([fasta, fasta])
    with pytest.raises(InputError, match="files are read twice"):
        find_blocks(["-"])


def test_only_a_trained_tokenizer_is_replaced(fasta, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    train_tokenizer(fasta, out, vocab_size=40)  # an empty folder is taken
    with pytest.raises(RunError, match="exists; choose another folder, or pass overwrite=True"):
        train_tokenizer(fasta, out, vocab_size=50)
    train_tokenizer(fasta, out, vocab_size=50, overwrite=True)
    assert BpeTokenizer.read(out).vocab_size == 50
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("years of work")
    with pytest.raises(RunError, match="is not a tokenizer folder"):
        train_tokenizer(fasta, tmp_path / "thesis", vocab_size=50, overwrite=True)
    with pytest.raises(RunError, match="cannot be written: "):
        train_tokenizer(fasta, fasta / "out", vocab_size=40)


def test_a_full_disk_leaves_nothing(fasta, tmp_path, monkeypatch):
    def full(folder, tokenizer):
        (folder / "tokenizer.json").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(vocabulary, "write_tokenizer", full)
    with pytest.raises(ResourceError, match="out: the disk is full; nothing was written"):
        train_tokenizer(fasta, tmp_path / "out", vocab_size=40)
    assert list(tmp_path.iterdir()) == [fasta]


def test_no_such_tokenizer(tmp_path):
    with pytest.raises(ModelError, match="nothing: neither a file, nor a folder, nor one of t2t_1000h_multi_32k"):
        inspect_tokenizer("nothing")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a tokenizer\.json of a byte-pair vocabulary"):
        inspect_tokenizer(tmp_path)
