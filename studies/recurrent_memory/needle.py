"""Task of the study: random DNA as BPE tokens with one of two motifs in the first segment; the motif is the label.

All later segments are independent of the label, so a network that sees only the last segment has an accuracy of 50 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_training import train_vocabulary

VOCABULARY, CORPUS, MOTIF = 256, 200_000, 24
MOST_BASES = 5  # bases to sample per required token; more than the mean token length


def random_dna(random: np.random.Generator, length: int) -> str:
    """Return independent, equally frequent bases."""
    return random.choice(np.frombuffer(b"ACGT", np.uint8), length).tobytes().decode()


@cache
def tokenizer() -> BpeTokenizer:
    """Return a BPE tokenizer trained on random DNA; always the same."""
    random = np.random.default_rng(0)
    chunks = [random_dna(random, 2_000) for _ in range(CORPUS // 2_000)]
    return BpeTokenizer(train_vocabulary(chunks, VOCABULARY))


@cache
def motifs() -> tuple[str, str]:
    """Return the two motifs; always the same."""
    random = np.random.default_rng(1)
    return random_dna(random, MOTIF), random_dna(random, MOTIF)


@dataclass(frozen=True, slots=True)
class Needle:
    """Sequences of ``segments`` segments of ``content`` tokens each.

    Attributes:
        content: number of tokens per segment.
        segments: number of segments; the label is predicted after the last.
        decoys: probability that a later segment contains a random one of the motifs.
    """

    content: int
    segments: int
    decoys: float = 0.0

    def batch(self, random: np.random.Generator, rows: int) -> tuple[Tensor, Tensor]:
        """Return token ids, (B, L) int64, and the index of the motif in the first segment, (B,) int64."""
        labels = random.integers(0, 2, rows)
        ids = np.stack([self._row(random, int(label)) for label in labels])
        return torch.from_numpy(ids), torch.from_numpy(labels)

    def _row(self, random: np.random.Generator, label: int) -> NDArray[np.int64]:
        """Return a sequence; it is resampled until its first segment contains its motif and not the other."""
        length = self.content * self.segments
        segment_bases = int(tokenizer().bases_per_token * self.content)
        while True:
            bases = np.frombuffer(random_dna(random, MOST_BASES * length).encode(), np.uint8).copy()
            first, *decoys = self._places(random, segment_bases)
            for place, motif in [(first, label), *((place, int(random.integers(2))) for place in decoys)]:
                bases[place : place + MOTIF] = np.frombuffer(motifs()[motif].encode(), np.uint8)
            tokens = tokenizer().tokens(bases.tobytes().decode())
            border = tokens.spans_T2[self.content - 1, 1]
            if first + MOTIF <= border <= min(decoys, default=border) and len(tokens.ids) >= length:
                return tokens.ids[:length].astype(np.int64)

    def _places(self, random: np.random.Generator, segment_bases: int) -> list[int]:
        """Return the start positions of motifs: one in the first segment, decoys in later ones."""
        places = [int(random.integers(segment_bases - MOTIF))]
        for segment in range(1, self.segments):
            if random.random() < self.decoys:
                places.append(segment * segment_bases + MOTIF + int(random.integers(segment_bases - 2 * MOTIF)))
        return places
