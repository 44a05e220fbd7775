"""Every document of a row says where in the genome it lies."""

from pathlib import Path

import numpy as np
import pytest

from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.training.pretrain import PretrainingTask
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.rows import Places


@pytest.mark.parametrize("kind", ["recipe", "ocean_recipe", "masked_recipe"])
def test_the_bases_at_a_place_are_those_of_the_document(kind: str, fasta: Path, request: pytest.FixtureRequest) -> None:
    recipe: Recipe = request.getfixturevalue(kind)
    task = PretrainingTask(recipe)
    genome, tokenizer = Genome(fasta), task.tokens.tokenizer
    special = np.asarray(tokenizer.lengths) == 0
    strands, kinds = set(), set()
    for step in range(30):
        rows = task.feed.rows(step, 1, 2)
        assert rows.places is not None
        numbers = {(row, number) for row, number, *_ in rows.places.table_P.tolist()}
        assert len(numbers) == len(rows.places.table_P)
        kinds.add(rows.documents_RL is not None)
        for row, number, contig, start, end, reverse in rows.places.table_P.tolist():
            ids = rows.ids_RL[row] if rows.documents_RL is None else rows.ids_RL[row][rows.documents_RL[row] == number]
            if rows.targets is not None:
                ids = np.where(rows.targets[row] >= 0, rows.targets[row], ids)
            name = rows.places.contigs[contig].split("/")[-1]
            expected = genome[Interval(name, start, end, "-" if reverse else "+")]
            assert tokenizer.decode(ids[~special[ids]].astype(np.int32)) == expected
            strands.add(reverse)
    assert strands == {True, False}
    assert kinds == ({False} if kind == "masked_recipe" else {True, False})
    task.feed.close()


def test_places_of_some_rows_are_numbered_from_zero() -> None:
    places = Places.of(("a", "b"), [(0, 0, 0, 5, 9, False), (1, 0, 1, 0, 4, True), (1, 1, 0, 1, 2, False)])
    selected = places.of_rows(slice(1, 3), 3)
    assert selected.table_P.tolist() == [(0, 0, 1, 0, 4, True), (0, 1, 0, 1, 2, False)]
    assert places.table_P["row"].tolist() == [0, 1, 1]
