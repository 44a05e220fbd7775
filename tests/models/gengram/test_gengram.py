"""Gengram against a plain loop over strings, its two forms against each other, its borders, precision and gradients."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.gengram.gengram import Gengram, _wide
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.gengram.gengram_fold import fold, pure_rows, worth_folding
from genolm.models.gengram.kmer_stream import KmerStream, read_kmers
from genolm.models.gengram.window_sum import plus_shifted, shifted, window_sum
from genolm.models.networks.decoder_config import DecoderConfig

LETTERS = "ACGTN."
SMALL = GengramConfig(layers=(1,), dim=6)
WIDTH = 16


def stream_of(text: str, documents: Tensor | None = None, skip: int = 0) -> KmerStream:
    digits = torch.tensor([[LETTERS.index(letter) if letter != "." else -1 for letter in text]])
    return read_kmers(digits, documents, skip)


def memory_of(config: GengramConfig = SMALL, seed: int = 0, dtype: torch.dtype = torch.float64) -> Gengram:
    torch.manual_seed(seed)
    return Gengram(config, WIDTH, 1e-5).to(dtype)


def text_of(length: int, letters: str = "ACGT", seed: int = 0) -> str:
    generator = torch.Generator().manual_seed(seed)
    return "".join(letters[int(i)] for i in torch.randint(len(letters), (length,), generator=generator))


def mean_by_hand(memory: Gengram, text: str, place: int, index: int, first: int = 0) -> Tensor:
    """The mean of the rows of the whole k-mers inside the window, one string after the other."""
    order, window = memory.config.orders[index], memory.config.window
    begin = max(first, place - window + 1) if window > 1 else place - order + 1
    words = [text[end - order + 1 : end + 1] for end in range(begin + order - 1, place + 1) if end - order + 1 >= first]
    words = [word for word in words if len(word) == order and "." not in word]
    rows = [sum(LETTERS.index(letter) * 5 ** (order - 1 - i) for i, letter in enumerate(word)) for word in words]
    table = memory.tables[index].weight
    return table[rows].mean(0) if rows else torch.zeros(memory.config.dim, dtype=table.dtype)


@pytest.mark.parametrize("window", [1, 6, 7, 21, 30])
def test_pooled_features_are_means_over_whole_kmers(window: int) -> None:
    memory = memory_of(replace(SMALL, window=window))
    text = text_of(30) + "NN" + text_of(9, seed=1) + "." + text_of(25, "ACGTN", seed=2)
    pooled = memory.pooled(stream_of(text))[0]
    for place, index in itertools.product(range(len(text)), range(6)):
        part = pooled[place, index * 6 : index * 6 + 6]
        torch.testing.assert_close(part, mean_by_hand(memory, text, place, index), atol=1e-12, rtol=0)


def test_a_window_never_crosses_a_document() -> None:
    memory, text = memory_of(), text_of(60)
    pooled = memory.pooled(stream_of(text, torch.tensor([[0] * 25 + [1] * 3 + [2] * 32])))[0]
    for place, first in ((24, 0), (25, 25), (27, 25), (28, 28), (40, 28), (59, 28)):
        for index in range(6):
            part = pooled[place, index * 6 : index * 6 + 6]
            torch.testing.assert_close(part, mean_by_hand(memory, text, place, index, first), atol=1e-12, rtol=0)


@pytest.mark.parametrize("orders", [(1, 2, 3, 4, 5, 6), (2, 3), (3,), (1, 4)])
@pytest.mark.parametrize("window", [1, 6, 21])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_folded_equals_direct(orders: tuple[int, ...], window: int, dtype: torch.dtype, close: float) -> None:
    memory = memory_of(replace(SMALL, orders=orders, window=window), dtype=dtype)
    text = text_of(700) + "N" + text_of(150, seed=1) + ".." + text_of(150, seed=2)
    documents = torch.tensor([[0] * 333 + [1] * (len(text) - 333)])
    for stream in (stream_of(text), stream_of(text, documents), stream_of(text, skip=50)):
        plain = memory.pooled(stream)
        expected = torch.cat((memory.key(plain), memory.value(plain)), -1)
        with torch.no_grad():
            memory._folds = lambda _: True  # type: ignore[method-assign]
            found = torch.cat(memory._read(stream, dtype), -1)
        torch.testing.assert_close(found, expected, atol=close, rtol=0)


def test_folded_tables_follow_the_weights() -> None:
    memory, stream = memory_of(), stream_of(text_of(64))
    with torch.no_grad():
        before = memory._folded.read(memory, stream, torch.float64)
        memory.value.weight.mul_(2.0)
        assert not memory._folded.ready(memory)
        after = memory._folded.read(memory, stream, torch.float64)
    torch.testing.assert_close(after[..., WIDTH:], 2 * before[..., WIDTH:])
    torch.testing.assert_close(after[..., :WIDTH], before[..., :WIDTH])


def test_gradients_of_both_forms_agree_and_are_right() -> None:
    config = replace(SMALL, orders=(1, 2, 3), window=7, dim=3)
    x = torch.randn(1, 120, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    gradients = []
    for form in ("direct", "folded"):
        memory = memory_of(config)
        memory._folds = lambda stream, form=form: form == "folded"  # type: ignore[method-assign]
        written, _ = memory(x, stream_of(text_of(80) + "N" + text_of(39, seed=5)))
        written.update_BLD.square().sum().backward()
        gradients.append([weight.grad for weight in memory.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)
    memory = memory_of(replace(config, gate="plain"))
    stream = stream_of(text_of(14))
    assert torch.autograd.gradcheck(lambda x: memory(x, stream)[0].update_BLD, x[:, :14].clone().requires_grad_())


@pytest.mark.parametrize("kernel", [0, 4])
def test_the_receptive_field_is_exactly_that_of_window_and_convolution(kernel: int) -> None:
    memory, field = memory_of(replace(SMALL, conv_kernel=kernel)), 39 if kernel else 21
    text, x = text_of(80), torch.randn(1, 80, WIDTH, dtype=torch.float64)
    place = 50
    reads = []
    for at in range(80):
        other = text[:at] + LETTERS[(LETTERS.index(text[at]) + 1) % 4] + text[at + 1 :]
        with torch.no_grad():
            pair = [memory(x, stream_of(one))[0].update_BLD[0, place] for one in (text, other)]
        if not torch.equal(*pair):
            reads.append(at)
    assert (min(reads), max(reads)) == (place - field + 1, place)


def test_pooling_does_not_depend_on_the_position() -> None:
    memory = memory_of(dtype=torch.float32)
    text = text_of(60)
    early = memory.pooled(stream_of(text))[0, 30:]
    late = memory.pooled(stream_of(text_of(4000, seed=9) + text))[0, 4030:]
    assert torch.equal(early, late)


def test_a_million_positions_stay_exact() -> None:
    config = GengramConfig(layers=(1,), orders=(1, 6), dim=2)
    memory = Gengram(config, 2, 1e-5)
    digits = torch.randint(4, (1, 1_000_000), generator=torch.Generator().manual_seed(0))
    stream = read_kmers(digits)
    with torch.no_grad():
        narrow = memory.pooled(stream)
        wide = memory.double().pooled(stream)
    assert (narrow - wide).abs().max() < 1e-5


@pytest.mark.parametrize("length", range(1, 26))
def test_every_short_length_is_finite(length: int) -> None:
    memory = memory_of()
    for letters in ("ACGT", "N", "."):
        written, _ = memory(torch.randn(1, length, WIDTH, dtype=torch.float64), stream_of(text_of(length, letters)))
        assert written.update_BLD.isfinite().all()
        assert written.update_BLD.shape == (1, length, WIDTH)


def test_blocks_of_inference_equal_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, x = memory_of(), torch.randn(1, 300, WIDTH, dtype=torch.float64)
    documents = torch.tensor([[0] * 45 + [1] * 255])
    stream = stream_of(text_of(150) + "N" + text_of(149, seed=4), documents)
    whole = memory(x, stream)[0]  # with gradients: never in blocks
    with torch.no_grad():
        monkeypatch.setattr("genolm.models.gengram.gengram._BLOCK", 32)
        blocks = memory(x, stream)[0]
    torch.testing.assert_close(blocks.update_BLD, whole.update_BLD, atol=1e-12, rtol=0)
    torch.testing.assert_close(blocks.gate_BL, whole.gate_BL, atol=1e-12, rtol=0)


def test_the_released_precision_is_a_running_sum_in_bf16() -> None:
    memory = memory_of(replace(SMALL, compat="released-bf16", orders=(2,)), dtype=torch.float32)
    text = text_of(90) + "." + text_of(30, seed=1)
    pooled = memory.pooled(stream_of(text))[0]
    table = memory.tables[0].weight.bfloat16()
    running = [torch.zeros(6, dtype=torch.bfloat16)] * 2  # before the first base, and after it: no 2-mer ends there
    for first, second in itertools.pairwise(text):
        row = table[LETTERS.index(first) * 5 + LETTERS.index(second)] if "." not in first + second else 0 * table[0]
        running.append(running[-1] + row)
    for place in range(1, len(text)):
        first = max(0, place - 19)
        words = [text[end - 1 : end + 1] for end in range(max(1, first), place + 1)]
        count = sum("." not in word for word in words)
        expected = (running[place + 1] - running[first]) / max(1, count)
        torch.testing.assert_close(pooled[place].float(), expected.float(), atol=0, rtol=0)


def test_the_released_precision_drifts_with_the_position_and_ours_does_not() -> None:
    text = text_of(5000)
    exact = memory_of(replace(SMALL, orders=(1,)), dtype=torch.float32)
    released = memory_of(replace(SMALL, orders=(1,), compat="released-bf16"), dtype=torch.float32)
    released.load_state_dict(exact.state_dict())
    with torch.no_grad():
        true, drifting = exact.pooled(stream_of(text))[0], released.pooled(stream_of(text))[0].float()
    error = (drifting - true).norm(dim=-1) / true.norm(dim=-1)
    assert error[32:64].mean() < 0.2
    assert error[4500:].mean() > 0.5


def test_a_small_start_writes_nothing_and_the_reference_start_does() -> None:
    from genolm.models.networks.decoder import Decoder
    from genolm.training.trainer.weights import initialise

    for init, silent in (("small", True), ("reference", False)):
        config = DecoderConfig(32, WIDTH, 2, 2, 1, 8, 16, gengram=replace(SMALL, init=init))
        network = initialise(Decoder(config), 0)
        with torch.no_grad():
            trace = network(torch.randint(5, 9, (1, 40)), memory=True).memory[1]
        assert bool((trace.written_BL == 0).all()) == silent


@pytest.mark.parametrize("gate", ["signed-root", "plain", "open"])
def test_gates_are_what_their_formulas_say(gate: str) -> None:
    memory = memory_of(replace(SMALL, gate=gate))
    x, key = torch.randn(2, 1, 5, WIDTH, dtype=torch.float64).unbind()
    q, k = (v / (v.square().mean(-1, keepdim=True) + 1e-5).sqrt() for v in (x, key))
    logit = (q * k).sum(-1) / math.sqrt(WIDTH)
    expected = {
        "signed-root": (logit.sign() * logit.abs().sqrt()).sigmoid(),
        "plain": logit.sigmoid(),
        "open": torch.ones_like(logit),
    }[gate]
    torch.testing.assert_close(memory._gate(x, key), expected, atol=1e-6, rtol=0)


def test_hashed_tables_spread_long_kmers() -> None:
    memory = memory_of(GengramConfig(layers=(1,), orders=(3, 10), dim=2, table_rows=1000))
    assert [table.num_embeddings for table in memory.tables] == [125, 1000]
    rows, whole = memory.rows(stream_of(text_of(5000)), 10)
    assert bool(whole[0, 9:].all()) and not bool(whole[0, :9].any())
    counts = torch.bincount(rows[0, 9:], minlength=1000)
    assert counts.max() < 30 and (counts > 0).sum() > 950
    assert not memory.config.foldable


def test_the_counts_of_the_specification() -> None:
    config = GengramConfig(layers=(3, 6, 10))
    assert sum(config.rows) == 19_530
    assert [config.parameters(h) for h in (1024, 1280, 4096)] == [32_587_776, 35_735_040, 70_354_944]
    assert (config.reach, config.conv_reach, config.endings) == (20, 18, (21, 20, 19, 18, 17, 16))
    assert not worth_folding(config, 910) and worth_folding(config, 911)
    memory = memory_of()
    assert sum(w.numel() for w in memory.parameters()) == SMALL.parameters(WIDTH)


def test_shorter_kmers_are_the_tail_of_longer_ones() -> None:
    stream = stream_of(text_of(200, "ACGTN"))
    longest = stream.code(6, 5)
    for order in range(1, 6):
        assert torch.equal(stream.code(order, 5)[0, 5:], longest[0, 5:] % 5**order)


def test_pure_rows_skip_those_with_n() -> None:
    assert pure_rows(1).tolist() == [0, 1, 2, 3]
    assert pure_rows(2).tolist() == [5 * a + b for a in range(4) for b in range(4)]
    main, tail = fold(memory_of())
    assert (main.shape, tail.shape) == ((4**6, 2 * WIDTH), (4**5, 2 * WIDTH))  # type: ignore[union-attr]


@pytest.mark.parametrize("width", [1, 2, 3, 16, 21, 40])
def test_window_sums_are_sums(width: int) -> None:
    values = torch.randn(2, 33, 3, dtype=torch.float64)
    expected = torch.stack([values[:, max(0, t - width + 1) : t + 1].sum(1) for t in range(33)], 1)
    torch.testing.assert_close(window_sum(values, width), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("back", [0, 1, 5, 8, 9])
def test_adding_in_place_is_adding_a_shifted_copy(back: int) -> None:
    total, values = torch.randn(2, 2, 8, 3)
    kept = total.clone()
    with torch.inference_mode():
        in_place = plus_shifted(total, values, back)
    assert torch.equal(in_place, total + shifted(values, back))
    assert torch.equal(total, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": []}, "gengram layers must be ascending whole numbers from 1"),
        ({"layers": [0]}, "gengram layers must be ascending"),
        ({"layers": [3]}, "gengram layers must be in 1..2, not 3"),
        ({"orders": [3, 2]}, "gengram orders must be ascending"),
        ({"orders": [30]}, "gengram orders must be at most 24, not 30"),
        ({"window": 4}, "gengram window 4 is shorter than the longest k-mer, 6"),
        ({"gate": "wide"}, "gengram gate must be signed-root, plain or open, not 'wide'"),
        ({"compat": "old"}, "gengram compat must be none, released-fp32 or released-bf16"),
        ({"dim": 0}, "gengram dim and conv_dilation must be at least 1"),
        ({"size": 3}, "unknown gengram keys: size"),
    ],
)
def test_contradicting_numbers_are_refused(change: dict[str, object], message: str) -> None:
    values = {**DecoderConfig(32, 16, 2, 2, 1, 8, 16).to_dict(), "gengram": {"layers": [1], **change}}
    with pytest.raises(ModelError, match=message):
        DecoderConfig.from_dict(values)


def test_a_config_survives_json() -> None:
    config = DecoderConfig(32, 16, 2, 2, 1, 8, 16, gengram=SMALL)
    assert DecoderConfig.from_dict(config.to_dict()) == config
    assert "gengram" not in replace(config, gengram=None).to_dict()


def test_wide_keeps_double() -> None:
    assert [_wide(torch.ones(1, dtype=t)).dtype for t in (torch.bfloat16, torch.float64)] == [
        torch.float32,
        torch.float64,
    ]
