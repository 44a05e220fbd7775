"""The arms of the study: one small Genos with experts, and what each arm changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from genolm.models.gengram.gengram import CausalConv, Past, Written
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.gengram.kmer_stream import KmerStream
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.training.recipes.pretrain_recipe import OptimizerRecipe

HIDDEN, LAYERS = 128, 6
PAPER_LAYERS, LATE_LAYER = (2, 3, 5), (5,)  # of 6, where the paper has 3, 6, 10 of 12, and 10

BASE = DecoderConfig(
    vocab_size=32,
    hidden_size=HIDDEN,
    num_layers=LAYERS,
    num_heads=4,
    num_kv_heads=2,
    head_dim=32,
    ffn_size=256,
    num_experts=4,
    experts_per_token=2,
    rope_theta=1e4,
    max_positions=1024,
    initial_std=0.02,
)
LENGTHS = {6: 16, 8: 16, 10: 4}
# Widths scaled as the hidden size is: 1,024 of 4,096 in the paper's 10B, here 32 of 128.
RELEASED = GengramConfig(layers=PAPER_LAYERS, dim=32, init="reference")
OPTIMIZER = OptimizerRecipe(learning_rate=1e-3, kmer_rate_factor=1.0, warmup_steps=10, final_fraction=0.1)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to build and train the model.

    Attributes:
        what: a line for the report.
        model: its config.
        table_rate: learning rate of the tables over that of the rest.
        table_decay: whether weight decay pulls on the tables, as released.
        frozen_tables: tables stay as they were drawn.
        convolution: taps of a plain depthwise convolution that stands in the memory's place.
    """

    what: str
    model: DecoderConfig
    table_rate: float = 1.0
    table_decay: bool = True
    frozen_tables: bool = False
    convolution: int = 0


def _memory(**changes: object) -> DecoderConfig:
    return replace(BASE, gengram=replace(RELEASED, **changes))  # type: ignore[arg-type]


def _at_input(model: DecoderConfig, widths: Mapping[int, int]) -> DecoderConfig:
    """With tables of k-mers added to the input, by length and width."""
    return replace(model, kmer_orders=tuple(widths), kmer_dims=tuple(widths.values()))


def _matched_ffn() -> DecoderConfig:
    """The baseline with wider experts, so that it has the weights of the arm with three memories."""
    extra = _memory().parameters - BASE.parameters
    per_width = LAYERS * BASE.num_experts * 3 * HIDDEN
    return replace(BASE, ffn_size=BASE.ffn_size + round(extra / per_width))


ARMS: Mapping[str, Arm] = {
    "baseline": Arm("no module", BASE),
    "released": Arm("Gengram at the paper's layers, released start and decay", _memory()),
    "late": Arm("Gengram at a late layer alone", _memory(layers=LATE_LAYER)),
    "frozen": Arm("as released, tables random and never trained", _memory(), frozen_tables=True),
    "windowless": Arm("as released, no window: the k-mers that end here", _memory(window=1)),
    "convolution": Arm("a plain depthwise convolution of 21 taps at the same layers", _memory(), convolution=21),
    "wider": Arm("no module, experts widened to the same number of weights", _matched_ffn()),
    "small start": Arm(
        "tables std .02, value projection zero, tables at 5 times the rate, without decay",
        _memory(init="small"),
        table_rate=5.0,
        table_decay=False,
    ),
    "longer": Arm(
        "small start, windowless, orders 1 to 8, 10 and 12, hashed into 65,536 rows",
        _memory(init="small", window=1, orders=(1, 2, 3, 4, 5, 6, 7, 8, 10, 12), table_rows=65_536),
        table_rate=5.0,
        table_decay=False,
    ),
    "input memory": Arm(
        "no Gengram; tables of 8-mers added to the input",
        _at_input(BASE, {8: 32}),
        table_rate=2.0,
        table_decay=False,
    ),
    "input memory, orders 6, 8, 10": Arm(
        "the same with three lengths",
        _at_input(BASE, LENGTHS),
        table_rate=2.0,
        table_decay=False,
    ),
}


class PlainConvolution(nn.Module):
    """The control for locality: a causal depthwise convolution of the residual stream, where a memory would be.

    Args:
        hidden_size: width of the stream.
        taps: tokens it sees, the current one included.
    """

    def __init__(self, hidden_size: int, taps: int) -> None:
        super().__init__()
        self.config = RELEASED
        self.conv = CausalConv(hidden_size, taps, 1)
        self.output = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x_BLD: Tensor, stream: KmerStream, past: Past = None) -> tuple[Written, Tensor]:
        """What to add; called as :class:`genolm.models.gengram.gengram.Gengram` is, without a cache."""
        update = self.output(nn.functional.silu(self.conv(x_BLD, None, stream)))
        return Written(update, x_BLD.new_ones(x_BLD.shape[:2])), update
