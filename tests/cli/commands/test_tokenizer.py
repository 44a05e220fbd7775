"""Commands tokenizer train and tokenizer inspect."""

import json
from pathlib import Path

from typer.testing import CliRunner

from genolm.cli.main import app

VOCABULARY = {"tokens": 4096, "special": 5, "pieces": 4091, "longest": 16, "mean_length": 6.76, "closure": 0.2408}
SEQUENCE = {
    "bases": 440_000, "bases_per_token": 5.152, "strand_borders": 0.1787, "strand_tokens": 0.051, "substitutions": 1000,
    "changed_mean": 1.6585, "changed_max": 6, "count_changes": 0.2295, "megabases_per_second": 5.25,
}  # fmt: skip
FACTS = {"vocabulary": VOCABULARY, "sequence": SEQUENCE, "measured_on": "FASTA"}
TRAINED = {**FACTS, "trained_on": {"bases": 3_001_652, "blocks": 301}, "measured_on": "held-out blocks"}
NONE = {"substitutions": 0, "changed_mean": None, "changed_max": None, "count_changes": None, "strand_borders": None}


def test_train_passes_its_arguments(record) -> None:
    calls = record("genolm.training.vocabulary.train_tokenizer", "train_tokenizer", TRAINED)
    options = "--vocab-size 512 --seed 7 --bases 5000 --max-length 12 --chunk 99 --strands both --n gap --overwrite"
    done = CliRunner().invoke(app, ["tokenizer", "train", "a.fa", "b.fa.gz", "tokens", *options.split()])
    settings = {
        "vocab_size": 512,
        "seed": 7,
        "bases": 5000,
        "max_length": 12,
        "chunk": 99,
        "strands": "both",
        "n": "gap",
    }
    expected = (
        ([Path("a.fa"), Path("b.fa.gz")], Path("tokens")),
        {**settings, "n": "gap", "overwrite": True, "progress": None},
    )
    assert calls == [expected]
    assert done.stderr == "3,001,652 bases; 4,096 tokens\nwrote tokens\n"
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == [
        "tokens 4,096, of which 4,091 consist of A, C, G and T",
        "longest token 16 bases; mean of the vocabulary 6.76",
        "both strands 24.1 % of tokens have a reverse-complement token",
        "trained on 3,001,652 bases",
        "measured on 440,000 bases, held-out blocks",
        "bases per token 5.15",
        "strands agree on 17.9 % of token boundaries, 5.1 % of tokens",
        "a substitution changes 1.66 tokens on average, at most 6; changes the number of tokens in 22.9 % of cases",
        "speed 5.2 Mb of sequence per second",
    ]


def test_inspect_passes_its_arguments_and_prints_json(record) -> None:
    calls = record("genolm.training.vocabulary.train_tokenizer", "inspect_tokenizer", FACTS)
    arguments = ["tokenizer", "inspect", "BPE_32k", "a.fa", "--bases", "9999", "--seed", "2", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert calls == [((Path("BPE_32k"), Path("a.fa")), {"bases": 9999, "seed": 2})]
    assert json.loads(done.stdout) == FACTS


def test_what_cannot_be_measured_is_left_blank(record) -> None:
    calls = record(
        "genolm.training.vocabulary.train_tokenizer", "inspect_tokenizer", {**FACTS, "sequence": {**SEQUENCE, **NONE}}
    )
    lines = CliRunner().invoke(app, ["tokenizer", "inspect", "tokens"]).stdout.splitlines()
    assert calls == [((Path("tokens"),), {})]
    assert "strands agree on  - of token boundaries, 5.1 % of tokens" in lines
    assert "a substitution    -" in lines
