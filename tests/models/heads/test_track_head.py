"""The convolutional head for tracks, and the scaling of its targets."""

import pytest
import torch
from safetensors.torch import load_file
from tests.golden_sets.comparison import existing

from genolm.models.heads.head_config import TrackHeadConfig
from genolm.models.heads.track_head import TrackHead
from genolm.models.heads.track_scaling import scale_tracks, unscale_tracks

CLOSE = {"atol": 5e-5, "rtol": 1e-5}


@pytest.fixture
def golden(golden_dir):
    folder = existing(golden_dir / "rna-head")
    return lambda name: load_file(folder / f"{name}.safetensors")


@pytest.fixture
def published(golden):
    head = TrackHead(TrackHeadConfig(("total",)), 64)
    head.load_state_dict(golden("head_weights"))
    return head.eval()


@pytest.mark.golden
def test_published_weights_give_the_published_numbers(published, golden):
    run = golden("head_run")
    real = torch.ones(run["hidden"].shape[:2], dtype=torch.bool)
    with torch.no_grad():
        output = published(run["hidden"], real, real)[..., 0]
    torch.testing.assert_close(output, run["output"], **CLOSE)


@pytest.mark.golden
def test_padding_is_like_the_outside_of_a_sequence(published, golden):
    hidden = golden("head_run")["hidden"]
    mask = torch.zeros(2, 100, dtype=torch.bool)
    mask[0, 4:94] = mask[1, :31] = True
    padded = torch.full((2, 100, 64), float("nan"))
    padded[0, 4:94], padded[1, :31] = hidden[0], hidden[1, :31]
    real = torch.ones(1, 90, dtype=torch.bool)
    with torch.no_grad():
        together = published(padded, mask, mask)
        torch.testing.assert_close(together[0, 4:94], published(hidden[:1], real, real)[0], **CLOSE)
        torch.testing.assert_close(together[1, :31], published(hidden[1:, :31], real[:, :31], real)[0], **CLOSE)
    assert (together[~mask] == 0).all()


@pytest.mark.parametrize(("width", "parameters"), [(1024, 836_610), (4096, 13_373_442)])
def test_published_parameter_counts(width, parameters):
    with torch.device("meta"):
        head = TrackHead(TrackHeadConfig(("total",)), width)
    assert sum(weight.numel() for weight in head.parameters()) == parameters


def test_strands_of_a_pair_share_a_scale():
    head = TrackHead(TrackHeadConfig(("a+", "a-", "b"), scale_of=(0, 0, 1)), 16).eval()
    assert head.scale.shape == (2,)
    real = torch.ones(1, 5, dtype=torch.bool)
    with torch.no_grad():
        before = head(torch.ones(1, 5, 16), real, real)
        head.scale[0] = 3.0
        changed = head(torch.ones(1, 5, 16), real, real) != before
    assert changed[..., :2].all() and not changed[..., 2].any()


@pytest.mark.golden
@pytest.mark.parametrize("number", range(4))
def test_scaling_and_its_inverse(golden, number):
    vectors = golden("scaling")
    means = [float(vectors["track_means"][number])]
    close = {"atol": 0.0, "rtol": 1e-5}
    forward = scale_tracks(vectors["x"][:, None], means)[:, 0]
    torch.testing.assert_close(forward, vectors[f"forward.{number}"], **close)
    torch.testing.assert_close(unscale_tracks(forward[:, None], means)[:, 0], vectors[f"roundtrip.{number}"], **close)
    pred = vectors["pred"][:, None]
    torch.testing.assert_close(unscale_tracks(pred, means)[:, 0], vectors[f"inverse.{number}"], **close)


@pytest.mark.golden
def test_tracks_that_are_not_squashed(golden):
    vectors = golden("scaling")
    means, squashed = vectors["multi.track_means"].tolist(), vectors["multi.squash_mask"].tolist()
    scaled = scale_tracks(vectors["multi.targets"], means, squashed)
    torch.testing.assert_close(scaled, vectors["multi.scaled"], atol=0.0, rtol=1e-5)
    head = TrackHead(TrackHeadConfig(("a", "b", "c"), means=tuple(means), squashed=tuple(squashed)), 16)
    torch.testing.assert_close(head.predictions(vectors["multi.pred"]), vectors["multi.unscaled"], atol=0.0, rtol=1e-5)
