"""Tiles: number and start of the tile of a site, and tilings that fit a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError, ModelError
from genolm.tasks.reading.allele_tiles import Tiling


@pytest.mark.parametrize(
    ("limit", "horizon", "context", "expected"),
    [
        (1_048_576, 512, None, (4096, 8192)),
        (1_048_576, 1, 10_000, (10_000, 20_000)),
        (1024, 1, None, (512, 512)),
        (1024, 512, None, (256, 257)),
        (1024, 512, 500, (500, 13)),
        (2, 1, None, (1, 1)),
    ],
)
def test_context_and_step_follow_from_the_model(limit, horizon, context, expected):
    tiling = Tiling.fit(limit, horizon, context)
    assert (tiling.context, tiling.step) == expected
    assert tiling.length <= limit


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (1024, 512, 513),
            ModelError,
            r"513 bases and a horizon of 512 exceed .* limit of 1,024 .* context is 512",
        ),
        ((1024, 1, 1024), ModelError, "the largest possible context is 1,023"),
        (
            (1024, 1024),
            ModelError,
            "limit of 1,024 bases; the largest possible horizon is 1,023",
        ),
        ((1024, 0), InputError, r"horizon must be at least 1 base \(value 0\)"),
        ((1024, 1, 0), InputError, r"context must be at least 1 base \(value 0\)"),
    ],
)
def test_what_a_model_cannot_read_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Tiling.fit(*arguments)


def test_the_largest_context_named_is_one_that_fits():
    assert Tiling.fit(1024, 512, 512).length == 1024
    assert Tiling.fit(1024, 1023).length == 1024


@given(st.integers(0, 10**9), st.integers(2, 5000), st.integers(1, 600), st.data())
def test_every_site_has_its_context_and_its_horizon_within_the_limit(site, room, horizon, data):
    context = data.draw(st.none() | st.integers(1, room - 1))
    tiling = Tiling.fit(room + horizon - 1, horizon, context)
    start = tiling.start(tiling.number(site))
    before = site - start
    assert min(site, tiling.context) <= before < tiling.context + tiling.step
    assert before + horizon <= tiling.length <= room + horizon - 1
