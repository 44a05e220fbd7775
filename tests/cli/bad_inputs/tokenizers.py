"""Byte-pair tokenizers that cannot be trained, and files that are none."""

import json

from tests.cli.bad_inputs.case import Case
from tests.tokens.toy_vocabularies import toy_bytes, toy_file

TRAIN = "tokenizer train genome.fa tokens"


def train(kind: str, command: str, message: str, code: int = 3, **more) -> Case:
    """A vocabulary that cannot be trained."""
    return Case(f"tokenizer: {kind}", f"tokenizer train {command} tokens", message, code, **more)


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
        "an invalid letter",
        "protein.fa",
        "protein.fa:2: not a base at position 2 of the sequence (value 'E')",
        files={"protein.fa": ">protein\nMEEPQSDPSV\n"},
    ),
    train("the same file twice", "good.fa good.fa", "good.fa: is given twice"),
    train("standard input", "-", "standard input: the files are read twice; save standard input as a file first"),
    train(
        "a vocabulary larger than possible",
        "good.fa",
        "not enough sequence for 4,096 tokens: only 19 tokens of at most 64 bases occur at least twice; reduce"
        " the vocabulary size, or provide more sequence",
    ),
    train(
        "a vocabulary of letters alone",
        "good.fa --vocab-size 10 --n letter",
        "invalid vocab_size 10: must be more than 10, the number of special tokens and letters",
        4,
    ),
    train(
        "pieces longer than the chunks",
        "good.fa --chunk 32",
        "chunk (32) must be at least max_length (64)",
        4,
    ),
    train(
        "a negative seed",
        "good.fa --seed -1",
        "Invalid value for '--seed': must be between 0 and 4294967295, not -1",
        2,
    ),
    Case(
        "tokenizer: the folder exists",
        TRAIN,
        "tokens exists; choose another folder, or pass --overwrite to replace it",
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
        "not JSON",
        b"A C\n",
        "not a tokenizer.json of a byte-pair vocabulary: Expecting value: line 1 column 1 (char 0)",
    ),
    inspect("another kind of model", in_model(type="WordPiece"), "unsupported model type WordPiece: expected BPE"),
    inspect(
        "a merge without its piece",
        in_model(merges=["A C", "C C"]),
        "invalid merge of 'C' and 'C': a part or the result is not a token",
    ),
    inspect("a base is missing", toy_bytes(letters="ACG"), "missing bases in the vocabulary: T"),
    inspect(
        "a rule that genolm does not have",
        toy_bytes(normalizer={"type": "NFC"}),
        'unsupported normalizer rule {"type": "NFC"}',
    ),
)
