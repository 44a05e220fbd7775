"""The rows of every step of a run, through its stages, made ready one step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, RowOrder, Rows
from genolm.training.corpus.haplotypes import Haplotypes
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.schedule import stage_at

# Far apart, so that the seeds of stages and of a study's repeats do not meet.
_BETWEEN_STAGES = 1_000_003


class RowFeed:
    """Rows by step; the next step's are cut, and tokenised, by a thread while the network computes.

    Args:
        runs: the training split.
        recipe: for stages and seed.
        tokenizer: of the corpus.
        tokens: how bases become tokens; None where each is one.
        haplotypes: whose alleles pieces are read with.
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
        """The rows of one team in a step: every ``teams``-th of the batch, from ``team`` on."""
        key = (step, team, teams)
        ready = (
            self._prefetched[1] if self._prefetched is not None and self._prefetched[0] == key else self._submit(*key)
        )
        rows = ready.result()
        self._prefetched = (step + 1, team, teams), self._submit(step + 1, team, teams)
        return rows

    def close(self) -> None:
        """End the thread."""
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
        # By the row's number in the whole batch, whoever computes it.
        return layout.training(rows, [(seed, offset, team + teams * row) for row in range(len(rows.ids_RL))])
