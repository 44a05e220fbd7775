"""The nucleotide tokenizer: published ids, policies, errors that name letter and position, steps that do not
grow with the sequence."""

import hashlib
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError, ModelError
from genolm.tokens import GENOS, NucleotideTokenizer, Tokenizer

dna = st.text(alphabet="ACGTN", max_size=200)
SMALL = {"A": 0, "C": 1, "G": 2, "T": 3, "<PAD>": 4, "<EOD>": 5}


def test_published_ids_of_genos():
    ids = NucleotideTokenizer().encode("GCTNTAC")
    assert ids.tolist() == [6, 5, 7, 9, 7, 8, 5]
    assert ids.dtype == np.uint8
    assert ids.flags.writeable


def test_vocabulary_of_genos():
    tokenizer = NucleotideTokenizer()
    assert isinstance(tokenizer, Tokenizer)
    assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.eod_id) == (18, 14, 12)
    assert tokenizer.base_ids == (8, 5, 6, 7)
    assert tokenizer.bases_per_token == 1.0
    assert [GENOS[name] for name in ("[PAD]", "[MASK]", "<CLS>", "<s>", "</s>", "<UNK>")] == [0, 4, 10, 15, 16, 17]
    assert sorted(GENOS.values()) == list(range(18))


def test_no_special_tokens_are_added():
    assert len(NucleotideTokenizer().encode("ACGT" * 2048)) == 8192
    assert NucleotideTokenizer().encode("").shape == (0,)


@given(dna)
def test_decode_is_the_inverse_of_encode(sequence):
    tokenizer = NucleotideTokenizer()
    assert tokenizer.decode(tokenizer.encode(sequence)) == sequence


def test_special_ids_decode_to_their_names():
    assert NucleotideTokenizer().decode(np.array([8, 12, 14, 1], np.int32)) == "A<EOD><PAD>[UNK]"


def test_unknown_id_is_named():
    with pytest.raises(InputError, match=r"the id is not in the alphabet \(value 99\)"):
        NucleotideTokenizer().decode(np.array([8, 99], np.uint8))


def test_spans_are_single_bases():
    spans = NucleotideTokenizer().spans("ACG")
    assert spans.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert spans.dtype == np.int64
    assert NucleotideTokenizer().spans("").shape == (0, 2)


def test_tokens_are_ids_and_spans():
    ids, spans_T2 = NucleotideTokenizer().tokens("GCT")
    assert ids.tolist() == [6, 5, 7]
    assert spans_T2.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_lengths_count_letters_only():
    lengths = NucleotideTokenizer().lengths
    assert lengths.tolist() == [0] * 5 + [1] * 5 + [0] * 8


def test_special_ids_by_name():
    tokenizer = NucleotideTokenizer()
    assert [tokenizer.special_id(name) for name in ("[CLS]", "[MASK]", "<EOD>")] == [2, 4, 12]
    for name in ("A", "[GAP]"):
        with pytest.raises(ModelError, match="no special token"):
            tokenizer.special_id(name)


@pytest.mark.parametrize(
    ("sequence", "settings", "message"),
    [
        ("ACGRT", {}, r"letter 'R' at position 4 is an ambiguity code; .*iupac='N'"),
        ("ACr", {}, r"letter 'r' at position 3 is an ambiguity code"),
        ("AC-GT", {"iupac": "N"}, r"letter '-' at position 3 is not in the alphabet"),
        ("AC GT", {"iupac": "sample"}, r"letter ' ' at position 3 is not in the alphabet"),
        ("ARC*", {"iupac": "sample"}, r"letter '\*' at position 4"),
        ("ACU", {}, r"letter 'U' at position 3 is RNA; .*rna=True"),
        ("ACgT", {"case": "raise"}, r"letter 'g' at position 3 is lower case; .*case='upper'"),
        ("acgt", {"case": "keep"}, r"letter 'a' at position 1 is lower case"),
        ("ACGé", {}, r"letter 'é' at position 4 is not in the alphabet"),
        ("AC\x00", {}, r"letter '\\x00' at position 3"),
    ],
)
def test_a_refused_letter_is_named_with_its_position(sequence, settings, message):
    with pytest.raises(InputError, match=message):
        NucleotideTokenizer(**settings).encode(sequence)


def test_lower_case_is_read_as_upper_case_by_default():
    tokenizer = NucleotideTokenizer(iupac="N")
    assert tokenizer.encode("acgtnr").tolist() == tokenizer.encode("ACGTNR").tolist()


def test_lower_case_symbols_are_kept_apart():
    tokenizer = NucleotideTokenizer({**SMALL, "a": 6}, case="keep")
    assert tokenizer.encode("AaA").tolist() == [0, 6, 0]


def test_a_symbol_in_lower_case_is_not_overruled_by_case_folding():
    assert NucleotideTokenizer({**SMALL, "a": 6}).encode("AaCc").tolist() == [0, 6, 1, 1]


def test_rna_is_read_as_dna_on_request():
    assert NucleotideTokenizer(rna=True).encode("UuT").tolist() == [7, 7, 7]


def test_ambiguity_codes_as_n_are_counted():
    ids, changed = NucleotideTokenizer(iupac="N", rna=True).encode_counted("ACRyNu")
    assert ids.tolist() == [8, 5, 9, 9, 9, 7]
    assert changed == 2


def test_a_sample_is_a_base_of_its_code_and_uses_all_of_them():
    tokenizer = NucleotideTokenizer(iupac="sample", seed=3)
    for code, bases in {"R": "AG", "Y": "CT", "B": "CGT", "V": "ACG", "w": "AT"}.items():
        assert set(tokenizer.decode(tokenizer.encode(code * 200))) == set(bases)


def test_samples_are_uniform():
    text = NucleotideTokenizer(iupac="sample").decode(NucleotideTokenizer(iupac="sample").encode("B" * 30_000))
    assert all(abs(text.count(base) - 10_000) < 400 for base in "CGT")  # 5 standard deviations


def test_a_sample_depends_on_seed_and_position_only():
    first, second = (NucleotideTokenizer(iupac="sample", seed=seed) for seed in (1, 2))
    codes = "R" * 500
    assert first.encode(codes).tolist() == first.encode(codes).tolist()
    assert first.encode(codes).tolist() != second.encode(codes).tolist()
    assert first.encode("A" * 400 + "R" * 100)[400:].tolist() == first.encode(codes)[400:].tolist()


def test_samples_are_counted_and_other_letters_untouched():
    ids, changed = NucleotideTokenizer(iupac="sample").encode_counted("ARNYT")
    assert changed == 2
    assert [int(ids[0]), int(ids[2]), int(ids[4])] == [8, 9, 7]


def test_an_ambiguity_code_that_is_a_symbol_is_an_ordinary_letter():
    ids, changed = NucleotideTokenizer({**SMALL, "R": 6}).encode_counted("AR")
    assert (ids.tolist(), changed) == ([0, 6], 0)


def test_other_alphabets():
    tokenizer = NucleotideTokenizer({**SMALL, "#": 6, "@": 7, "[eos]": 8}, pad="<PAD>", eod="[eos]")
    assert tokenizer.encode("A#C@").tolist() == [0, 6, 1, 7]
    assert (tokenizer.vocab_size, tokenizer.eod_id, tokenizer.base_ids) == (9, 8, (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"symbols": {"A": 0, "C": 1, "G": 2}}, "missing symbols in the alphabet: T, <PAD>, <EOD>"),
        ({"symbols": SMALL, "iupac": "N"}, "missing symbols in the alphabet: N"),
        ({"symbols": {**SMALL, "N": 0}}, "two symbols have the same id"),
        ({"symbols": {**SMALL, "N": 254}}, r"ids must be in 0\.\.253, but that of 'N' is 254"),
        ({"symbols": {**SMALL, "é": 9}}, "invalid symbol 'é': expected ASCII text"),
        ({"iupac": "ignore"}, "expected one of"),
        ({"case": "lower"}, "expected one of"),
    ],
)
def test_contradictory_settings_are_refused(settings, message):
    with pytest.raises(ModelError, match=message):
        NucleotideTokenizer(**settings)


def test_json_round_trip():
    tokenizer = NucleotideTokenizer({**SMALL, "N": 9}, iupac="sample", case="raise", rna=True, seed=7)
    again = NucleotideTokenizer.from_json(tokenizer.to_json())
    assert again == tokenizer
    assert again.encode("ARU").tolist() == tokenizer.encode("ARU").tolist()


@pytest.mark.parametrize("text", ["", "[]", '{"type": "bpe"}', '{"type": "nucleotide", "colour": 1}', "{}"])
def test_foreign_json_is_refused(text):
    with pytest.raises(ModelError, match="not the JSON of a nucleotide tokenizer"):
        NucleotideTokenizer.from_json(text)


def test_pickles_and_ignores_later_changes_of_the_symbols():
    symbols = dict(SMALL)
    tokenizer = NucleotideTokenizer(symbols)
    symbols["A"] = 77
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again == tokenizer
    assert again.encode("A").tolist() == [0]


@pytest.mark.parametrize("iupac", ["raise", "N", "sample"])
def test_a_longer_sequence_takes_no_more_steps_of_the_interpreter(iupac):
    tokenizer = NucleotideTokenizer(iupac=iupac)
    short, long = (_steps(tokenizer, "ACGTN" * times) for times in (10, 10_000))
    assert short == long > 5


def _steps(tokenizer, sequence):
    steps = 0

    def trace(frame, event, _):
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        tokenizer.encode(sequence)
    finally:
        sys.settrace(before)
    return steps


def test_ids_of_a_long_text_are_fixed():
    letters = "".join("ACGTN"[(i * i + i // 7) % 5] for i in range(10_000))
    digest = hashlib.sha256(NucleotideTokenizer().encode(letters).tobytes()).hexdigest()
    naive = bytes(GENOS[letter] for letter in letters)
    assert digest == hashlib.sha256(naive).hexdigest()
