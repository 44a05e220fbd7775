"""Feed of rows for every step of a run, prefetched one step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, RowOrder, Rows
from genolm.training.corpus.haplotypes import Haplotypes
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.schedule import stage_at

# A large gap, so that seeds of stages do not collide with those of repeated runs.
_BETWEEN_STAGES = 1_000_003


class RowFeed:
    """Rows by step; a thread prepares those of the next step while the network computes.

    Args:
        documents: training split.
        recipe: recipe with stages and seed.
        tokenizer: tokenizer of the corpus.
        tokens: tokenisation of the run; None if each token is one base.
        haplotypes: haplotypes that pieces are read with; None for the reference.
    """

    def __init__(
        self,
        documents: Sequence[DocumentSpan],
        recipe: Recipe,
        tokenizer: NucleotideTokenizer,
        tokens: Tokenisation | None = None,
        haplotypes: Haplotypes | None = None,
    ) -> None:
        self._tokens, self._haplotypes = tokens, haplotypes
        self._documents, self._recipe, self._tokenizer = documents, recipe, tokenizer
        self._orders: dict[int, RowOrder] = {}
        self._thread = ThreadPoolExecutor(1)
        self._prefetched: tuple[tuple[int, int, int], Future[Rows]] | None = None

    def rows(self, step: int, team: int, teams: int) -> Rows:
        """Return the rows of one team in a step: every ``teams``-th row of the batch, starting at ``team``."""
        key = (step, team, teams)
        hit = self._prefetched is not None and self._prefetched[0] == key
        ready = self._prefetched[1] if hit and self._prefetched is not None else self._submit(*key)
        rows = ready.result()
        self._prefetched = (step + 1, team, teams), self._submit(step + 1, team, teams)
        return rows

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _submit(self, step: int, team: int, teams: int) -> Future[Rows]:
        return self._thread.submit(self._cut, step, team, teams)

    def _cut(self, step: int, team: int, teams: int) -> Rows:
        index, stage, offset = stage_at(step, self._recipe)
        seed = self._recipe.seed + index * _BETWEEN_STAGES
        if index not in self._orders:
            bases = stage.context + 1 if self._tokens is None else self._tokens.row_bases(stage.context)
            order = RowOrder(self._documents, bases - 1, stage.batch_rows, seed, self._tokenizer, self._haplotypes)
            self._orders = {index: order}
        rows = self._orders[index].batch(offset, rank=team, world=teams)
        layout = None if self._tokens is None else self._tokens.rows(stage.context)
        if layout is None:
            return rows
        # Seeds follow the row's number in the batch, whichever process computes it.
        return layout.training(rows, [(seed, offset, team + teams * row) for row in range(len(rows.ids_RL))])
