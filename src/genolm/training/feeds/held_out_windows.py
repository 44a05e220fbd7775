"""Bits per base of a decoder on sequence that it never learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from genolm.models.networks.decoder import Decoder
from genolm.training.corpus.split_documents import Run, Runs

Windows = NDArray[np.uint8]


def sample_windows(runs: Sequence[Run], context: int, count: int, seed: int) -> Windows:
    """Windows of ``context + 1`` bases drawn evenly over the runs, (count, context + 1)."""
    random = np.random.default_rng(seed)
    runs = Runs.of(runs)
    starts_N = np.maximum(runs.length_N - context, 0)
    if not starts_N.sum():
        raise ValueError(f"no run of {context + 1} bases to evaluate on")
    which = random.choice(len(runs), size=count, p=starts_N / starts_N.sum())
    at = [int(random.integers(int(starts_N[i]))) for i in which]
    return np.stack([runs.ids(i)[start : start + context + 1] for i, start in zip(which, at, strict=True)])


@torch.inference_mode()
def bits_per_base(network: Decoder, windows: Windows, bf16: bool, *, first: int | None = None, rows: int = 16) -> float:
    """Mean negative log2 likelihood of the bases from position ``first`` of each window on.

    Args:
        network: the decoder.
        windows: token ids, (count, length); every base is predicted from those before it in its window.
        bf16: whether to multiply in bf16.
        first: first base that counts; by default the middle of the window, so that every base has context.
        rows: windows of one pass.
    """
    first = windows.shape[1] // 2 if first is None else max(1, first)
    total = 0.0
    for batch in torch.from_numpy(windows.astype(np.int64)).split(rows):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(batch[:, :-1]).logits_BLV
        total += F.cross_entropy(
            logits[:, first - 1 :].flatten(0, 1), batch[:, first:].flatten(), reduction="sum"
        ).item()
    return total / (windows.shape[0] * (windows.shape[1] - first)) / math.log(2)
