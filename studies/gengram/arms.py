"""Arms of the study: variants of a small Genos model with experts."""

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
PAPER_LAYERS, LATE_LAYER = (2, 3, 5), (5,)  # of 6 layers; the paper has 3, 6 and 10 of 12, and 10

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
# Widths scale with the hidden size: 1,024 of 4,096 in the paper's 10B model, here 32 of 128.
RELEASED = GengramConfig(layers=PAPER_LAYERS, dim=32, init="reference")
OPTIMIZER = OptimizerRecipe(learning_rate=1e-3, kmer_rate_factor=1.0, warmup_steps=10, final_fraction=0.1)


@dataclass(frozen=True, slots=True)
class Arm:
    """Configuration of the model and its training.

    Attributes:
        what: description for the report.
        model: model config.
        table_rate: learning rate of the tables, relative to that of the other weights.
        table_decay: whether weight decay applies to the tables, as released.
        frozen_tables: whether the tables keep their random initial values.
        convolution: number of taps of a depthwise convolution that replaces the memory.
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
    """Return a config with k-mer tables added to the input, by length and width."""
    return replace(model, kmer_orders=tuple(widths), kmer_dims=tuple(widths.values()))


def _matched_ffn() -> DecoderConfig:
    """Return the baseline with wider experts and as many weights as the arm with three memories."""
    extra = _memory().parameters - BASE.parameters
    per_width = LAYERS * BASE.num_experts * 3 * HIDDEN
    return replace(BASE, ffn_size=BASE.ffn_size + round(extra / per_width))


ARMS: Mapping[str, Arm] = {
    "baseline": Arm("no module", BASE),
    "released": Arm("Gengram at the paper's layers, initialisation and weight decay as released", _memory()),
    "late": Arm("Gengram at a late layer only", _memory(layers=LATE_LAYER)),
    "frozen": Arm("as released, tables random and never trained", _memory(), frozen_tables=True),
    "windowless": Arm("as released, without the window: only the k-mers that end at the token", _memory(window=1)),
    "convolution": Arm("depthwise convolution with 21 taps at the same layers", _memory(), convolution=21),
    "wider": Arm("no module, experts widened to the same number of parameters", _matched_ffn()),
    "small start": Arm(
        "tables with SD 0.02, value projection zero, 5 times the learning rate for tables, no weight decay",
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
        "the same with three k-mer lengths",
        _at_input(BASE, LENGTHS),
        table_rate=2.0,
        table_decay=False,
    ),
}


class PlainConvolution(nn.Module):
    """Control for locality: a causal depthwise convolution of the residual stream, in place of a memory.

    Args:
        hidden_size: width of the residual stream.
        taps: number of tokens in the receptive field, including the current one.
    """

    def __init__(self, hidden_size: int, taps: int) -> None:
        super().__init__()
        self.config = RELEASED
        self.conv = CausalConv(hidden_size, taps, 1)
        self.output = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x_BLD: Tensor, stream: KmerStream, past: Past = None) -> tuple[Written, Tensor]:
        """Return the update of the residual stream; called like :class:`genolm.models.gengram.gengram.Gengram`."""
        update = self.output(nn.functional.silu(self.conv(x_BLD, None, stream)))
        return Written(update, x_BLD.new_ones(x_BLD.shape[:2])), update
