"""Errors for non-finite values name the sequence and keep finished parts."""

import pytest
import torch

import genolm
from genolm.errors import NonFiniteError
from genolm.models.finite import first_not_finite
from genolm.models.zoo.zoo import ZOO

FAMILIES = sorted(name for name in ZOO if name.startswith("tiny-random"))
GOOD = ["ACACACACAC", "CCCCAAAACCCC", "AACC"]
BAD = "ACACGTTTGGTTACGTTTT"


def spoiled(name):
    """Return a model with NaN for a token that only BAD contains."""
    model = genolm.load(name, device="cpu")
    others = {int(token) for sequence in GOOD for token in model.tokenizer.encode(sequence)}
    token = next(int(token) for token in model.tokenizer.encode(BAD) if int(token) not in others)
    embedding = model.network.embedding
    rows = embedding.weight if hasattr(embedding, "weight") else embedding.tokens.weight
    with torch.no_grad():
        rows[token] = float("nan")
    return model


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize("pooling", ["mean", "last", "none"])
def test_the_sequence_concerned_is_named_among_its_neighbours_in_a_batch(name, place, pooling):
    model, sequences = spoiled(name), [*GOOD[:place], BAD, *GOOD[place:]]
    with pytest.raises(NonFiniteError, match=f"for sequence 'sequence{place + 1}': the weight .*embedding"):
        genolm.embed(model, sequences, pooling=pooling)
    assert len(genolm.embed(model, GOOD, pooling=pooling).table) >= 3, "the others are all right"


def test_coordinates_are_told_where_the_name_lacks_them(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{'AC' * 20}{BAD}\n")
    (tmp_path / "r.bed").write_text("chr1\t0\t20\tgood\nchr1\t30\t50\tpromoter\n")
    with pytest.raises(NonFiniteError, match=r"for sequence 'promoter.*' \(chr1:31-50\)|'.*chr1:31-50.*'"):
        genolm.embed(spoiled("tiny-random-dense"), tmp_path / "r.bed", genome=tmp_path / "g.fa")


@pytest.mark.parametrize("name", ["tiny-random-dense", "tiny-random-ocean"])
def test_the_prompt_concerned_is_named(name):
    with pytest.raises(NonFiniteError, match=r"the continuation of prompt 'sequence3', sample [12]:"):
        genolm.generate(spoiled(name), [*GOOD[:2], BAD], n=2, length=3, top_k=1)


def test_finished_parts_are_kept_and_only_the_rest_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 1)
    model, out = spoiled("tiny-random-dense"), tmp_path / "v.parquet"
    with pytest.raises(NonFiniteError, match="'sequence3'"):
        genolm.embed(model, [*GOOD[:2], BAD], out)
    parts = {path.name: path.read_bytes() for path in (tmp_path / "v.parquet.parts").glob("part-*.parquet")}
    assert len(parts) == 2 and not out.exists()
    seen = []
    forward = genolm.tasks.reading.embedding.EmbedTask.forward
    monkeypatch.setattr(
        genolm.tasks.reading.embedding.EmbedTask,
        "forward",
        lambda self, model, windows: [seen.extend(windows), forward(self, model, windows)][1],
    )
    with pytest.raises(NonFiniteError, match="'sequence3'"):
        genolm.embed(model, [*GOOD[:2], BAD], out, resume=True)
    assert [window.sequence for window in seen] == [BAD]
    assert {path.name: path.read_bytes() for path in (tmp_path / "v.parquet.parts").glob("part-*.parquet")} == parts


def test_large_numbers_whose_sum_overflows_are_finite():
    values = torch.full((2, 3, 4), 3e38)
    assert first_not_finite(values) is None
    values[1, 2, 3] = float("inf")
    assert first_not_finite(values) == 1
    counted = torch.tensor([[True] * 3, [True, True, False]])
    assert first_not_finite(values, counted) is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_is_looked_at(dtype):
    values = torch.full((3, 1000), torch.finfo(dtype).max, dtype=dtype)
    assert first_not_finite(values) is None
    for wrong in (float("nan"), float("inf"), float("-inf")):
        values[2, 7] = wrong
        assert first_not_finite(values) == 2
    assert first_not_finite(torch.empty(0, 4, dtype=dtype)) is None
