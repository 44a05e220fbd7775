"""Byte-pair tokenizers that cannot be trained, and files that are none."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import json

from tests.cli.bad_inputs.case import Case
from tests.tokens.toy_vocabularies import toy_bytes, toy_file

TRAIN = "tokenizer train genome.fa --out tokens"


def train(kind: str, command: str, message: str, code: int = 3, **more) -> Case:
    """A vocabulary that cannot be trained."""
    return Case(f"tokenizer: {kind}", f"tokenizer train {command} --out tokens", message, code, **more)


def inspect(kind: str, content: bytes, message: str) -> Case:
    """A tokenizer.json that cannot be used."""
    files = {"tokenizer.json": content}
    return Case(f"tokenizer: {kind}", "tokenizer inspect tokenizer.json", f"tokenizer.json: {message}", 4, files)


def in_model(**changes) -> bytes:
    values = toy_file(merges=["A C"])
    return json.dumps({**values, "model": {**values["model"], **changes}}).encode()


CASES = (
    train("an empty FASTA", "empty.fa", "empty.fa: the FASTA file is empty", files={"empty.fa": ""}),
    train("no such FASTA", "none.fa", "none.fa: no such file"),
    train(
        "nothing but N",
        "gaps.fa",
        "no stretch of at least 50 bases A, C, G, T in gaps.fa",
        files={"gaps.fa": ">gap\n" + "N" * 300 + "\n"},
    ),
    train(
        "a letter that is no base",
        "protein.fa",
        "protein.fa:2: not a base at position 2 of the sequence (value 'E')",
        files={"protein.fa": ">protein\nMEEPQSDPSV\n"},
    ),
    train("the same file twice", "good.fa good.fa", "good.fa: is given twice"),
    train("standard input", "-", "standard input: the files are read twice; save standard input as a file first"),
    train(
        "a vocabulary larger than possible",
        "good.fa",
        "the sequence gives 19 tokens of at most 64 bases whose parts stand together at least twice, not 4,096: ask for fewer, or give more sequence",
    ),
    train(
        "a vocabulary of letters alone",
        "good.fa --vocab-size 10 --n letter",
        "10 tokens: 10 are special tokens and letters, so there must be more",
        4,
    ),
    train(
        "pieces longer than the chunks",
        "good.fa --chunk 32",
        "chunk (32) must be at least max_length (64)",
        4,
    ),
    train(
        "a negative seed", "good.fa --seed -1", "Invalid value for '--seed': must be from 0 to 4294967295, not -1", 2
    ),
    Case(
        "tokenizer: the folder exists",
        TRAIN,
        "tokens exists; choose another folder, or --overwrite to replace it",
        5,
        {"tokens": None, "tokens/notes.txt": "kept"},
    ),
    Case(
        "tokenizer: the folder to replace is something else",
        f"{TRAIN} --overwrite",
        "tokens is not a tokenizer folder; refusing to overwrite it",
        5,
        {"tokens": None, "tokens/notes.txt": "kept"},
    ),
    Case(
        "tokenizer: no such tokenizer",
        "tokenizer inspect t2t",
        "t2t: neither a file, nor a folder, nor one of t2t_1000h_multi_32k, BPE_32k",
        4,
    ),
    Case(
        "tokenizer: a folder without one",
        "tokenizer inspect tokens",
        "tokens/tokenizer.json: cannot be read: No such file or directory",
        4,
        {"tokens": None},
    ),
    inspect(
        "not JSON", b"A C\n", "no tokenizer.json of a byte-pair vocabulary: Expecting value: line 1 column 1 (char 0)"
    ),
    inspect("another kind of model", in_model(type="WordPiece"), "its model is WordPiece, not byte-pair encoding"),
    inspect(
        "a merge without its piece",
        in_model(merges=["A C", "C C"]),
        "the merge of 'C' and 'C' makes no piece of the vocabulary",
    ),
    inspect("a base is missing", toy_bytes(letters="ACG"), "the vocabulary has no T"),
    inspect(
        "a rule that genolm does not have",
        toy_bytes(normalizer={"type": "NFC"}),
        'genolm does not have the rule {"type": "NFC"} of its normalizer',
    ),
)
