"""Feed of bases or tokens of a corpus, prefetched one step ahead."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import Corpus, DocumentSpan, DocumentSpans, RowOrder
from genolm.training.corpus.haplotypes import Haplotypes
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.rows import Rows
from genolm.training.trainer.schedule import stage_at
from genolm.training.trainer.training_plan import Stage, TrainingPlan

Windows = NDArray[np.uint8]

# A large gap, so that seeds of stages do not collide with those of repeated runs.
_BETWEEN_STAGES = 1_000_003
_HELD_OUT_SEED = 0x4E1D  # separates the seeds of held-out masks from those of training rows


class CorpusFeed:
    """Rows of a corpus by step; a thread prepares those of the next step while the network computes.

    Args:
        corpus: corpus with its splits.
        plan: plan with stages and seed.
        tokenizer: tokenizer of the corpus.
        tokens: tokenisation of the run.
        haplotypes: haplotypes that pieces are read with; None for the reference.

    Raises:
        InputError: a held-out split has no stretch as long as a row.
    """

    def __init__(
        self,
        corpus: Corpus,
        plan: TrainingPlan,
        tokenizer: NucleotideTokenizer,
        tokens: Tokenisation,
        haplotypes: Haplotypes | None = None,
    ) -> None:
        self._corpus, self._tokens, self._haplotypes = corpus, tokens, haplotypes
        self._plan, self._tokenizer = plan, tokenizer
        self._windows = {stage.context: self._held_out(stage.context) for stage in plan.all_stages}
        self._orders: dict[int, RowOrder] = {}
        self._thread = ThreadPoolExecutor(1)
        self._prefetched: tuple[tuple[int, int, int], Future[Rows]] | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of all sequence, the tokenizer and the haplotypes."""
        parts = [self._corpus.fingerprint]
        if not self._tokens.plain:
            parts.append(self._tokens.tokenizer.to_json())
        if self._haplotypes is not None:
            parts.append(self._haplotypes.digest)
        return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def rows(self, step: int, team: int, teams: int) -> Rows:
        """Return the rows of one team in a step: every ``teams``-th row of the batch, starting at ``team``."""
        key = (step, team, teams)
        hit = self._prefetched is not None and self._prefetched[0] == key
        ready = self._prefetched[1] if hit and self._prefetched is not None else self._submit(*key)
        rows = ready.result()
        self._prefetched = (step + 1, team, teams), self._submit(step + 1, team, teams)
        return rows

    def held_out(self, stage: Stage) -> Mapping[str, Rows]:
        """Return windows of every held-out split as rows of tokens; the masks depend only on the seed."""
        return self._windows[stage.context]

    def metrics(self) -> dict[str, Any]:
        """Return bases by split, bases per token, and numbers of haplotypes."""
        corpus = self._corpus
        bases = {name: corpus.bases(name) for name in corpus.splits} | {"dropped": corpus.dropped}
        entry: dict[str, Any] = {"bases": bases}
        if not self._tokens.plain:
            entry["bases_per_token"] = round(self._tokens.bases_per_token, 4)
        if self._haplotypes is not None:
            counts = {"samples": len(self._haplotypes.samples), "substitutions": len(self._haplotypes)}
            entry["haplotypes"] = counts | {"left_out": self._haplotypes.left_out}
        return entry

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _submit(self, step: int, team: int, teams: int) -> Future[Rows]:
        return self._thread.submit(self._cut, step, team, teams)

    def _cut(self, step: int, team: int, teams: int) -> Rows:
        index, stage, offset = stage_at(step, self._plan)
        seed = self._plan.seed + index * _BETWEEN_STAGES
        if index not in self._orders:
            context = self._tokens.row_bases(stage.context) - 1
            train = self._corpus.splits["train"]
            order = RowOrder(train, context, stage.batch_rows, seed, self._tokenizer, self._haplotypes)
            self._orders = {index: order}
        rows = self._orders[index].batch(offset, rank=team, world=teams)
        layout = self._tokens.rows(stage.context)
        if layout is None:
            return rows
        # Seeds follow the row's number in the batch, whichever process computes it.
        return layout.training(rows, [(seed, offset, team + teams * row) for row in range(len(rows.ids_RL))])

    def _held_out(self, context: int) -> dict[str, Rows]:
        layout, splits = self._tokens.rows(context), {}
        for name, documents in self._corpus.splits.items():
            if name == "train":
                continue
            bases = self._tokens.row_bases(context)
            try:
                windows = sample_windows(documents, bases - 1, self._plan.evaluate_windows, self._plan.seed)
            except ValueError as error:
                raise InputError(f"{error}: the split {name!r} has none that long") from None
            seeds = [(self._plan.seed, _HELD_OUT_SEED, number) for number in range(len(windows))]
            splits[name] = Rows(windows, None) if layout is None else layout.held_out(windows, seeds)
        return splits


def sample_windows(documents: Sequence[DocumentSpan], context: int, count: int, seed: int) -> Windows:
    """Sample windows of ``context + 1`` bases uniformly from the documents, (count, context + 1)."""
    random = np.random.default_rng(seed)
    documents = DocumentSpans.of(documents)
    starts_N = np.maximum(documents.length_N - context, 0)
    if not starts_N.sum():
        raise ValueError(f"no run of {context + 1} bases to evaluate on")
    indices = random.choice(len(documents), size=count, p=starts_N / starts_N.sum())
    offsets = [int(random.integers(int(starts_N[i]))) for i in indices]
    return np.stack([documents.ids(i)[start : start + context + 1] for i, start in zip(indices, offsets, strict=True)])
