"""The published GENA vocabularies give the published ids."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.golden_sets.comparison import existing

from genolm.tokens import BpeTokenizer

pytestmark = [pytest.mark.golden, pytest.mark.data]

FOLDERS = {"t2t_1000h_multi_32k": "t2t_1000h_multi_32k", "BPE_32k": "human/BPE_32k"}
SPECIAL = re.compile(r"(\[(?:UNK|CLS|SEP|PAD|MASK)\])")


@pytest.fixture(scope="module", params=FOLDERS)
def published(request, golden_dir: Path, data_dir: Path):
    """Tokenizer as published, sequences by name, and the expected rows by name."""
    folder = existing(golden_dir / "gena-tokenizer")
    sequences = {row["name"]: row["sequence"] for row in json.loads((folder / "sequences.json").read_text())}
    rows = {row["name"]: row for row in json.loads((folder / f"{request.param}.json").read_text())["sequences"]}
    path = data_dir / "gena" / "tokenizers" / FOLDERS[request.param]
    return path, sequences, rows


def as_published(tokenizer: BpeTokenizer, sequence: str) -> list[int]:
    """Ids with special tokens parsed out of the text, which the caller does: the tokenizer never does."""
    pieces = SPECIAL.split(sequence)
    ids = [[tokenizer.special_id(piece)] if SPECIAL.fullmatch(piece) else tokenizer.encode(piece) for piece in pieces]
    return np.concatenate(ids).astype(int).tolist()


def test_ids_equal_the_published_ids_on_all_sequences(published):
    path, sequences, rows = published
    tokenizer = BpeTokenizer.read(path, unknown="unk", case="keep")
    assert sequences and set(sequences) == set(rows)
    for name, sequence in sequences.items():
        ids = as_published(tokenizer, sequence)
        assert ids == rows[name]["ids_no_special"], name
        framed = [tokenizer.special_id("[CLS]"), *ids, tokenizer.special_id("[SEP]")]
        assert framed == rows[name]["ids"], name
