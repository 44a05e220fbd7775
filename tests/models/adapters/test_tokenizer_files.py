"""tokenizer.json of model folders."""

import hashlib
import json
from dataclasses import replace

import pytest
from tests.tokens.toy_vocabularies import toy_tokenizer

from genolm.errors import ModelError
from genolm.models.adapters.tokenizer_files import fast_tokenizer, read_tokenizer, write_tokenizer
from genolm.models.card import Card
from genolm.models.checkpoints.convert import save
from genolm.models.checkpoints.load import load
from genolm.models.model import Model
from genolm.models.networks.random_weights import random_decoder
from genolm.models.zoo.zoo import ZOO
from genolm.tokens import PUBLISHED, published
from genolm.tokens.nucleotide import GENOS, NucleotideTokenizer

CONFIG = ZOO["tiny-random"].config
assert CONFIG is not None
BYTE_PAIR = replace(CONFIG, vocab_size=32_000)


def written(folder, model, added=()):
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "added_tokens": list(added)}))
    return folder


def test_what_is_written_is_read_back(tmp_path):
    write_tokenizer(tmp_path, NucleotideTokenizer())
    assert read_tokenizer(tmp_path, CONFIG) == NucleotideTokenizer()


def test_our_own_form_keeps_the_policies(tmp_path):
    tokenizer = NucleotideTokenizer(iupac="N", case="raise", rna=True)
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_json())
    assert read_tokenizer(tmp_path, CONFIG) == tokenizer


def exported(folder):
    transformers = pytest.importorskip("transformers")
    write_tokenizer(folder, NucleotideTokenizer())
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("sequence", ["ACGTN", "acgtn", "GATTACA" * 50, "N", ""])
def test_transformers_gives_our_ids(tmp_path, sequence):
    theirs, ids = exported(tmp_path), NucleotideTokenizer().encode(sequence).tolist()
    assert theirs(sequence)["input_ids"] == ids
    assert set(theirs(sequence)) == {"input_ids", "attention_mask"}
    assert theirs.decode(ids) == sequence.upper()


def test_special_tokens_in_transformers(tmp_path):
    theirs = exported(tmp_path)
    assert (theirs.pad_token_id, theirs.eos_token_id, theirs.unk_token_id) == (14, 12, 17)
    assert theirs("A<EOD>c[MASK]")["input_ids"] == [8, 12, 5, 4]


def test_a_letter_outside_the_alphabet_is_unknown_in_transformers(tmp_path):
    assert exported(tmp_path)("ARC")["input_ids"] == [8, 17, 5]


def test_lower_case_is_mapped_only_where_ours_maps_it():
    assert fast_tokenizer(NucleotideTokenizer())["normalizer"] is not None
    assert fast_tokenizer(NucleotideTokenizer(case="raise"))["normalizer"] is None


def test_other_letters_and_other_ids(tmp_path):
    vocab = {"<PAD>": 14, "A": 0, "C": 1, "G": 2, "T": 3, "N": 4, "#": 5, "</s>": 6}
    tokenizer = read_tokenizer(written(tmp_path, {"type": "WordLevel", "vocab": vocab}), CONFIG)
    assert tokenizer.encode("ACG#").tolist() == [0, 1, 2, 5]
    assert (tokenizer.pad_id, tokenizer.eod_id) == (14, 6)


def test_a_list_vocabulary_and_added_tokens(tmp_path):
    model = {"type": "Unigram", "vocab": [[letter, 0.0] for letter in "ACGTN"]}
    added = [{"id": 14, "content": "<PAD>"}]
    tokenizer = read_tokenizer(written(tmp_path, model, added), CONFIG)
    assert tokenizer.base_ids == (0, 1, 2, 3)
    assert tokenizer.eod_id == 14  # nothing else ends a document


def test_names_of_padding_rows_are_left_out(tmp_path):
    config = replace(CONFIG, vocab_size=256)
    vocab = dict(GENOS) | {f"<unused{number}>": number for number in range(18, 256)}
    assert read_tokenizer(written(tmp_path, {"vocab": vocab}), config).vocab_size == 254


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"vocab": {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4, "ACG": 5}},
            "has the piece 'ACG', but no merges",
        ),
        (
            {"vocab": dict(GENOS), "merges": ["A C"]},
            "invalid merge of 'A' and 'C': a part or the result is not a token",
        ),
        ({"vocab": {"A": 0, "C": 1, "G": 2}}, "the vocabulary lacks T, N"),
        ({}, "the vocabulary lacks A, C, G, T, N"),
        ({"vocab": {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}}, "no symbol has the padding id 14"),
        ({"vocab": dict(GENOS) | {"é": 20}}, "invalid symbol 'é': expected ASCII text"),
        ({"vocab": dict(GENOS) | {"#": 128}}, "ids reach 128, but the embedding has 128 rows"),
    ],
)
def test_vocabularies_that_cannot_be_used(tmp_path, model, message):
    with pytest.raises(ModelError, match=message):
        read_tokenizer(written(tmp_path, model), CONFIG)


def test_no_tokenizer_and_a_config_like_genos(tmp_path):
    assert read_tokenizer(tmp_path, CONFIG) == NucleotideTokenizer()


@pytest.mark.parametrize("change", [{"pad_id": 3}, {"vocab_size": 16}])
def test_no_tokenizer_and_another_config(tmp_path, change):
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing, and its config is not that of Genos"):
        read_tokenizer(tmp_path, replace(CONFIG, **change))


def test_only_tokenizers_are_written(tmp_path):
    with pytest.raises(ModelError, match="a str cannot be written as a tokenizer"):
        write_tokenizer(tmp_path, "other")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_vocabulary_is_written_byte_for_byte_and_read_back(tmp_path, name):
    tokenizer = published(name, rna=True)
    write_tokenizer(tmp_path, tokenizer)
    assert hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest() == PUBLISHED[name]
    assert read_tokenizer(tmp_path, BYTE_PAIR) == tokenizer


@pytest.mark.parametrize(
    ("name", "n"), [("t2t_1000h_multi_32k", "gap"), ("t2t_1000h_multi_32k", "keep"), ("BPE_32k", None)]
)
def test_transformers_gives_the_ids_of_a_byte_pair_vocabulary(tmp_path, name, n):
    transformers = pytest.importorskip("transformers")
    tokenizer = published(name, n=n)
    write_tokenizer(tmp_path, tokenizer)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    inner = "" if name == "BPE_32k" else "NNN" + "ACGT" + "N" * 30
    for sequence in ("GATTACA" * 20, f"ACGTTGCA{inner}CCGATTTGACC", "T"):
        ids = tokenizer.encode(sequence).tolist()
        assert theirs(sequence, add_special_tokens=False)["input_ids"] == ids
        assert theirs(sequence)["input_ids"] == [1, *ids, 2]
    names = (theirs.unk_token_id, theirs.cls_token_id, theirs.sep_token_id, theirs.pad_token_id, theirs.mask_token_id)
    assert names == (0, 1, 2, 3, 4)
    assert set(theirs("ACGT")) == {"input_ids", "attention_mask"}


def test_another_rule_about_runs_of_n_is_read_back(tmp_path):
    for policy in ("keep", "gap", "mask"):
        tokenizer = published("t2t_1000h_multi_32k", n=policy)
        write_tokenizer(tmp_path, tokenizer)
        again = read_tokenizer(tmp_path, BYTE_PAIR)
        assert again == tokenizer
        assert again.to_json() == tokenizer.to_json()
        assert again.encode("A" + "N" * 12).size == tokenizer.encode("A" + "N" * 12).size


def test_byte_pair_ids_beyond_the_embedding(tmp_path):
    write_tokenizer(tmp_path, published("BPE_32k"))
    with pytest.raises(ModelError, match="ids reach 31999, but the embedding has 128 rows"):
        read_tokenizer(tmp_path, CONFIG)


@pytest.mark.parametrize("layout", ["huggingface", "genolm"])
def test_a_saved_model_keeps_its_byte_pair_tokenizer(tmp_path, layout):
    tokenizer = toy_tokenizer(merges=["A C", "AC G", "T T"], gap_run=10, bases_per_token=1.5)
    save(Model(random_decoder(CONFIG, 0), tokenizer, Card("toy")), tmp_path / "model", layout=layout)
    assert load(tmp_path / "model", device="cpu").tokenizer == tokenizer
