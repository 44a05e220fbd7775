"""Properties of a byte-pair tokenizer on sequences: compression, strand symmetry, effect of substitutions, speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_vocabulary import Vocabulary

FLANK = 256
"""Bases tokenised on each side of a substitution, far more than it affects."""

SUBSTITUTIONS = 1000
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_RANDOM_BASES = 200_000


def vocabulary_facts(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return properties of a vocabulary.

    ``closure``: fraction of the tokens of two or more bases (ACGT only) whose reverse complement is a token.
    ``longest``, ``mean_length``: in bases, over all tokens of ACGT.
    """
    pieces = [piece for piece in vocabulary.pieces if set(piece) <= set("ACGT")]
    longer = [piece for piece in pieces if len(piece) > 1]
    known = set(longer)
    both = sum(piece.translate(_COMPLEMENT)[::-1] in known for piece in longer)
    return {
        "tokens": len(vocabulary.pieces),
        "special": len(vocabulary.special),
        "pieces": len(pieces),
        "longest": max(map(len, pieces)),
        "mean_length": float(np.mean([len(piece) for piece in pieces])),
        "closure": both / len(longer) if longer else None,
        "digest": vocabulary.digest,
    }


def sequence_facts(tokenizer: BpeTokenizer, sequences: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Return properties of the tokenizer on sequences.

    ``strand_borders``, ``strand_tokens``: token boundaries (tokens) that the two strands of a sequence share, as a
    fraction of those of either strand. ``changed_mean``, ``changed_max``: tokens of the reference that a substitution
    at a random position changes. ``count_changes``: fraction of substitutions that change the number of tokens.
    ``megabases_per_second``: encoding speed, spans included, on one core of this machine.

    Args:
        tokenizer: the tokenizer.
        sequences: upper-case ACGT.
        seed: random seed of the positions and ALT bases of the 1,000 substitutions.
    """
    start = time.thread_time()
    forward = [tokenizer.tokens(sequence) for sequence in sequences]
    seconds = time.thread_time() - start
    bases, tokens = sum(map(len, sequences)), sum(len(one.ids) for one in forward)
    changed, moved = _substitutions(tokenizer, sequences, np.random.default_rng(seed))
    return {
        "bases": bases,
        "bases_per_token": bases / tokens,
        **_strands(tokenizer, sequences, [one.spans_T2 for one in forward]),
        "substitutions": int(changed.size),
        "changed_mean": float(changed.mean()) if changed.size else None,
        "changed_max": int(changed.max()) if changed.size else None,
        "count_changes": float(moved.mean()) if changed.size else None,
        "megabases_per_second": bases / 1e6 / seconds,
    }


def random_bases(length: int = _RANDOM_BASES) -> str:
    """Return random sequence with equal base frequencies, the same on every call."""
    bases = np.random.RandomState(1).choice(np.frombuffer(b"ACGT", np.uint8), length)
    return bases.tobytes().decode()


def _strands(
    tokenizer: BpeTokenizer, sequences: Sequence[str], forward: Sequence[NDArray[np.int64]]
) -> dict[str, float | None]:
    shared, either = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for sequence, spans_T2 in zip(sequences, forward):
        reverse_T2 = len(sequence) - tokenizer.spans(sequence.translate(_COMPLEMENT)[::-1])[::-1, ::-1]
        pairs = (spans_T2[1:, 0], reverse_T2[1:, 0]), (_keys(spans_T2), _keys(reverse_T2))
        for kind, (one, other) in enumerate(pairs):
            common = np.intersect1d(one, other).size
            shared[kind] += common
            either[kind] += one.size + other.size - common
    return {
        name: float(common / total) if total else None
        for name, common, total in zip(("strand_borders", "strand_tokens"), shared, either)
    }


def _keys(spans_T2: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a unique integer for each span."""
    return spans_T2[:, 0] * (1 << 31) + spans_T2[:, 1]


def _substitutions(
    tokenizer: BpeTokenizer, sequences: Sequence[str], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the number of tokens that each substitution changes, and whether it changes the number of tokens."""
    long = [sequence for sequence in sequences if len(sequence) > 2 * FLANK]
    changed, moved = [], []
    for _ in range(SUBSTITUTIONS if long else 0):
        sequence = long[random.integers(len(long))]
        position = int(random.integers(FLANK, len(sequence) - FLANK))
        window = sequence[position - FLANK : position + FLANK + 1]
        other = "ACGT".replace(window[FLANK], "")[random.integers(3)]
        before = _token_set(tokenizer, window)
        after = _token_set(tokenizer, window[:FLANK] + other + window[FLANK + 1 :])
        changed.append(len(before - after))
        moved.append(len(before) != len(after))
    return np.array(changed, np.int64), np.array(moved, bool)


def _token_set(tokenizer: BpeTokenizer, window: str) -> set[tuple[int, int]]:
    """Return the tokens of a window as (start, id)."""
    ids, spans_T2 = tokenizer.tokens(window)
    return set(zip(spans_T2[:, 0].tolist(), ids.tolist()))
