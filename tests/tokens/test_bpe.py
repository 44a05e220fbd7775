"""The byte-pair tokenizer: letters, runs of N, spans, borders, identity."""

import json
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tokens.toy_vocabularies import toy_bytes, toy_tokenizer

from genolm.errors import InputError, ModelError
from genolm.tokens import BpeTokenizer, Tokenizer, Vocabulary, published

T2T, OLD = published("t2t_1000h_multi_32k"), published("BPE_32k")
AS_PUBLISHED = published("t2t_1000h_multi_32k", unknown="unk", case="keep")
KEEP = published("t2t_1000h_multi_32k", n="keep")

dna = st.text(alphabet="ACGT", max_size=300)
with_runs = st.lists(st.one_of(dna, st.integers(0, 25).map("N".__mul__)), max_size=6).map("".join)


def random_dna(length, seed=0):
    return "".join(random.Random(seed).choices("ACGT", k=length))


def test_the_facts_of_the_published_vocabularies():
    assert isinstance(T2T, Tokenizer)
    for tokenizer, bases, n_id, gap_id in ((T2T, (6, 8, 9, 15), 12, 5), (OLD, (6, 7, 8, 9), -1, -1)):
        assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.eod_id) == (32_000, 3, 2)
        assert (tokenizer.base_ids, tokenizer.n_id, tokenizer.gap_id) == (bases, n_id, gap_id)
        assert [tokenizer.special_id(name) for name in ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")] == [
            0,
            1,
            2,
            3,
            4,
        ]
    assert (T2T.n, T2T.run, OLD.n, OLD.run) == ("gap", 10, "keep", 0)
    assert (T2T.lengths.max(), OLD.lengths.max()) == (64, 820)


def test_ids_are_writable_and_without_special_tokens():
    ids = T2T.encode("ACGT")
    assert (ids.tolist(), ids.dtype, ids.flags.writeable) == ([120, 15], np.int32, True)
    assert T2T.encode("").shape == (0,)
    assert T2T.spans("").shape == (0, 2)


def test_lower_case_reads_as_upper_case():
    assert T2T.encode("acGTnn").tolist() == T2T.encode("ACGTNN").tolist()


@pytest.mark.parametrize(
    ("tokenizer", "sequence", "message"),
    [
        (T2T, "ACDG", "letter 'D' at position 3 is not in the vocabulary: this vocabulary has no ambiguity codes"),
        (T2T, "ACu", "letter 'u' at position 3 is not in the vocabulary: it is RNA; use rna=True to read it as T"),
        (T2T, "AC-G", "letter '-' at position 3.* is the gap character, not a base"),
        (T2T, "ACGT\n", r"letter '\\n' at position 5.* is not in the vocabulary"),
        (T2T, " ACGT", "letter ' ' at position 1"),
        (T2T, "ACGTÄ", "letter 'Ä' at position 5"),
        (T2T, "AZÉ", "letter 'Z' at position 2"),
        (T2T, "AÉZ", "letter 'É' at position 2"),
        (T2T, "AÉ?", "letter 'É' at position 2"),
        (T2T, "AC[MASK]", r"letter '\[' at position 3"),
        (OLD, "ACGTN", "letter 'N' at position 5 is not in the vocabulary; remove it, or use unknown='unk'"),
        (OLD, "R", "letter 'R' at position 1 is not in the vocabulary: this vocabulary has no ambiguity codes"),
        (OLD, "A\nC", r"letter '\\n' at position 2"),
        (published("t2t_1000h_multi_32k", n="raise"), "ACn", "letter 'n' at position 3.* n='raise' refuses"),
        (published("t2t_1000h_multi_32k", case="raise"), "ACgt", "letter 'g' at position 3.* is lower case"),
        (published("t2t_1000h_multi_32k", case="keep"), "ACgt", "letter 'g' at position 3.* is lower case"),
        (published("BPE_32k", n="raise", unknown="unk"), "ACN", "letter 'N' at position 3"),
        (published("BPE_32k", case="raise", unknown="unk"), "ACx", "letter 'x' at position 3.* lower case"),
    ],
)
def test_letters_that_are_refused(tokenizer, sequence, message):
    with pytest.raises(InputError, match=message):
        tokenizer.encode(sequence)


def test_ambiguity_codes_of_the_vocabulary_are_letters():
    assert T2T.encode("RYKMSWB").tolist() == [13, 17, 10, 11, 14, 16, 7]


def test_rna_on_request():
    tokenizer = published("BPE_32k", rna=True)
    assert tokenizer.encode("ACGUu").tolist() == OLD.encode("ACGTT").tolist()


def test_unknown_letters_on_request_are_counted():
    ids, unknown = published("BPE_32k", unknown="unk").encode_counted("ACGTNNxä")
    assert ids.tolist() == [*OLD.encode("ACGT"), 0, 0, 0, 0]
    assert unknown == 4
    assert OLD.encode_counted("ACGT")[1] == 0


def test_special_tokens_in_a_text_are_letters():
    ids = AS_PUBLISHED.encode("ACG[MASK]").tolist()
    assert ids == [*T2T.encode("ACG"), 0, 11, 6, 14, 10, 0]  # M, A, S, K are letters of this vocabulary


def test_runs_of_n():
    for length in (1, 9):
        sequence = f"ACGT{'N' * length}ACGT"
        assert T2T.encode(sequence).tolist() == KEEP.encode(sequence).tolist()
    tokens = T2T.tokens("TTCG" + "N" * 10 + "GATGG")
    assert tokens.ids.tolist() == [315, 5, 18677]
    assert tokens.spans_T2.tolist() == [[0, 4], [4, 14], [14, 19]]
    assert 5 not in KEEP.encode("A" + "N" * 40)
    assert T2T.encode("N" * 1000).tolist() == [5]


@pytest.mark.parametrize(("length", "count"), [(10, 4), (16, 4), (17, 5), (32, 5), (33, 6), (1000, 10)])
def test_runs_of_n_as_masks(length, count):
    """GenomeOcean v1.2: the logarithm of the length to base 2, rounded up."""
    tokenizer = toy_tokenizer(merges=["A C"], n="mask")
    ids, spans_T2 = tokenizer.tokens(f"ACN{'A' + 'N' * length}G")
    assert ids.tolist() == [10, 8, 5, *[4] * count, 7]
    assert tokenizer.encode("N" * 9).tolist() == [8] * 9
    widths = (spans_T2[:, 1] - spans_T2[:, 0]).tolist()
    assert widths[:3] == [2, 1, 1] and widths[-1] == 1 and sum(widths) == length + 5
    assert max(widths[3:-1]) - min(widths[3:-1]) <= 1
    assert [0, *spans_T2[:, 1]] == [*spans_T2[:, 0], length + 5]
    assert (tokenizer.lengths[4], tokenizer.run) == (-1, 10)


def test_masks_and_gaps_side_by_side():
    tokens = published("t2t_1000h_multi_32k", n="mask", unknown="unk").tokens("T-" + "N" * 11 + "-")
    assert tokens.ids.tolist() == [15, 5, 4, 4, 4, 4, 5]
    assert (tokens.spans_T2[:, 1] - tokens.spans_T2[:, 0]).tolist() == [1, 1, 2, 3, 3, 3, 1]


def test_a_gap_needs_a_token():
    with pytest.raises(ModelError, match="the vocabulary has no gap token for runs of N; use n='keep' or n='raise'"):
        published("BPE_32k", n="gap")


@settings(deadline=None)
@given(with_runs)
def test_spans_tile_the_sequence_and_agree_with_lengths_and_pieces(sequence):
    for tokenizer in (T2T, AS_PUBLISHED, KEEP):
        ids, spans_T2 = tokenizer.tokens(sequence)
        assert np.array_equal(ids, tokenizer.encode(sequence))
        assert np.array_equal(spans_T2, tokenizer.spans(sequence))
        assert [0, *spans_T2[:, 1]] == [*spans_T2[:, 0], len(sequence)]
        lengths = tokenizer.lengths[ids]
        known = lengths >= 0
        assert np.array_equal((spans_T2[:, 1] - spans_T2[:, 0])[known], lengths[known])
        for number, (start, end) in zip(ids, spans_T2):
            assert tokenizer.decode([number]) == ("-" if number == 5 else sequence[start:end])


@settings(deadline=None)
@given(dna, st.data())
def test_a_sequence_cut_at_a_border_has_the_same_tokens(sequence, data):
    ids, spans_T2 = T2T.tokens(sequence)
    cut = data.draw(st.integers(0, len(ids)))
    place = int(spans_T2[cut - 1, 1]) if cut else 0
    halves = [T2T.encode(sequence[:place]), T2T.encode(sequence[place:])]
    assert np.array_equal(np.concatenate(halves), ids)
    assert halves[0].size == cut


def test_decode_names_special_tokens_and_refuses_other_ids():
    assert T2T.decode(np.array([1, 120, 15, 5, 2])) == "[CLS]ACGT-[SEP]"
    with pytest.raises(InputError, match=r"the id is not in the vocabulary \(value 32000\)"):
        T2T.decode(np.array([32_000]))


def test_lengths_by_kind_of_token():
    assert T2T.lengths[:7].tolist() == [0, 0, 0, 0, 0, -1, 1]
    assert AS_PUBLISHED.lengths[:7].tolist() == [1, 0, 0, 0, 0, -1, 1]
    with pytest.raises(ModelError, match=r"no special token \[GAP\]"):
        T2T.special_id("[GAP]")


def test_mean_length_of_a_token_is_told_or_measured(tmp_path):
    assert T2T.bases_per_token == 6.4
    (tmp_path / "tokenizer.json").write_bytes(T2T.vocabulary.content)
    assert BpeTokenizer.read(tmp_path).bases_per_token == pytest.approx(5.63, abs=0.01)  # of random bases
    (tmp_path / "tokenizer_config.json").write_text('{"bases_per_token": 4.5, "pad_token": "[MASK]"}')
    again = BpeTokenizer.read(tmp_path / "tokenizer.json")
    assert (again.bases_per_token, again.pad_id) == (4.5, 4)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    with pytest.raises(ModelError, match="no special token <pad>"):
        BpeTokenizer.read(tmp_path)


@pytest.mark.parametrize("told", ["NaN", "-3", "Infinity"])
def test_a_mean_length_that_is_none_is_refused(tmp_path, told):
    (tmp_path / "tokenizer.json").write_bytes(T2T.vocabulary.content)
    (tmp_path / "tokenizer_config.json").write_text(f'{{"bases_per_token": {told}}}')
    with pytest.raises(ModelError, match=r"invalid bases_per_token"):
        BpeTokenizer.read(tmp_path)


def test_which_ids_are_plain_is_found_out_once():
    plain = T2T.plain_ids
    assert (plain[T2T.encode("ACGTGATTACA")].all(), plain[T2T.n_id], plain[:6].any()) == (True, False, False)
    assert all(plain[number] == (set(T2T.decode([number])) <= set("ACGT")) for number in range(0, 32_000, 97))
    plain[:] = False
    assert T2T.plain_ids.any()


def test_policies_of_a_folder_give_way_to_those_asked_for(tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(T2T.vocabulary.content)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"genolm": {"n": "keep", "rna": True}}))
    told, asked = BpeTokenizer.read(tmp_path), BpeTokenizer.read(tmp_path, n="gap", rna=False)
    assert (told.n, told.rna, asked.n, asked.rna) == ("keep", True, "gap", False)


def test_equal_tokenizers_write_equal_text_and_hash_alike():
    again = Vocabulary.parse(json.dumps(json.loads(T2T.vocabulary.content), indent=1).encode(), "same")
    twin = BpeTokenizer(again, bases_per_token=6.4)
    assert (twin, hash(twin), twin.to_json()) == (T2T, hash(T2T), T2T.to_json())
    assert len({T2T, OLD, AS_PUBLISHED, twin}) == 3
    assert len(T2T.to_json()) < 300
    assert len({toy_tokenizer(gap_run=run).to_json() for run in (0, 5, 10)}) == 3


def test_json_round_trip():
    tokenizer = published("t2t_1000h_multi_32k", n="keep", rna=True, unknown="unk", case="keep")
    assert BpeTokenizer.from_json(tokenizer.to_json(), T2T.vocabulary) == tokenizer
    with pytest.raises(ModelError, match=f"wrong vocabulary: expected {T2T.vocabulary.digest[:12]}…, got"):
        BpeTokenizer.from_json(tokenizer.to_json(), OLD.vocabulary)
    for text in ("{}", "[]", '{"type": "nucleotide"}', "x"):
        with pytest.raises(ModelError, match="not the JSON of a byte-pair tokenizer"):
            BpeTokenizer.from_json(text, T2T.vocabulary)


def test_pickled_and_from_many_threads():
    sequences = [random_dna(3000, seed) for seed in range(8)]
    expected = [T2T.encode(sequence).tolist() for sequence in sequences]
    again = pickle.loads(pickle.dumps(T2T))
    assert again == T2T
    with ThreadPoolExecutor(4) as pool:
        assert [ids.tolist() for ids in pool.map(again.encode, sequences)] == expected


@pytest.mark.parametrize("policy", [{"n": "drop"}, {"unknown": "skip"}, {"case": "lower"}])
def test_policies_that_do_not_exist(policy):
    with pytest.raises(ModelError, match="expected one of"):
        published("BPE_32k", **policy)


def genome_ocean_merges():
    """4086 merges that put ids where the published rows of GenomeOcean have them; what fills them begins with GG."""
    placed = {10: "A C", 11: "C C", 12: "A T", 22: "CC G", 29: "AC G", 30: "AT T", 1104: "CCG ATT"}
    fillers, grown = ["G G"], ["GG"]
    for piece in grown:
        fillers += [f"{piece} {base}" for base in "ACGT"]
        grown += [piece + base for base in "ACGT"]
        if len(fillers) > 4086:
            break
    source = iter(fillers)
    return [placed.get(number) or next(source) for number in range(10, 4096)]


@pytest.mark.parametrize(
    ("sequence", "row"),
    [
        ("ATTCCGATTCCGATTCCG", [1, 30, 1104, 1104, 22, 2]),
        ("ACGTNNNNNNNNNNACGT", [1, 29, 9, *[8] * 10, 29, 9, 2]),
    ],
)
@pytest.mark.parametrize("split", [None, {"type": "Whitespace"}])
def test_rows_of_genome_ocean(sequence, row, split):
    content = toy_bytes(merges=genome_ocean_merges(), pre_tokenizer=split)
    tokenizer = BpeTokenizer(Vocabulary.parse(content, "toy"))
    assert (tokenizer.vocab_size, tokenizer.base_ids, tokenizer.n_id) == (4096, (5, 6, 7, 9), 8)
    assert [tokenizer.special_id("[CLS]"), *tokenizer.encode(sequence), tokenizer.special_id("[SEP]")] == row
    assert tokenizer.spans(sequence)[-1, 1] == len(sequence)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_long_sequences_are_linear_and_exact(seed, unit):
    """A megabase goes through in chunks; this compares 60 kb of sequence with repeats with one pass of the library."""
    from tokenizers.models import BPE

    source = random.Random(seed)
    sequence = "".join(
        random_dna(7000, seed + part) + random_dna(unit, part) * source.randrange(4000) for part in range(4)
    )
    whole = BPE(dict(T2T.vocabulary.pieces), list(T2T.vocabulary.merges), unk_token="[UNK]").tokenize(sequence)
    assert T2T.encode(sequence).tolist() == [token.id for token in whole]
