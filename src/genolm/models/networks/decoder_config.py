"""Config of a decoder, with parameter counts and the size of its cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from genolm.errors import ModelError
from genolm.models.config_json import from_json
from genolm.models.gengram.gengram_config import GengramConfig, table_sizes
from genolm.models.networks.built_in_head import BuiltInHead

_MOST_ROWS = 4**12
_ROWS_AT_ONCE = 8192  # tokens that a feed-forward block processes at a time
_READ_AT_ONCE = 1024  # tokens that a Gengram memory averages at a time

DECODER_PARTS: Mapping[str, type[Any]] = {"gengram": GengramConfig}
"""Fields of a :class:`DecoderConfig` that hold a config themselves."""


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Config of a causal decoder: Genos and Gengram (experts), GenomeOcean (dense), genolm's own small models.

    Attributes:
        vocab_size: rows of the embedding and of the head, including padding rows.
        hidden_size: width D of the residual stream.
        num_layers: number of layers.
        num_heads: number of query heads.
        num_kv_heads: number of key-value heads; must divide ``num_heads``.
        head_dim: width of one head; ``num_heads * head_dim`` need not be ``hidden_size``.
        ffn_size: inner width of the SwiGLU block, or of each expert.
        num_experts: number of experts; 0 for a dense feed-forward block.
        experts_per_token: number of experts that each token passes through.
        rope_theta: base of the rotary position embedding.
        max_positions: longest context of the positions, in tokens.
        norm_eps: epsilon of RMSNorm.
        pad_id: id of the padding token.
        tied: whether the head shares the embedding's tensor.
        router_aux_coef: weight of the load-balancing loss in training.
        router_z_coef: weight of the router z-loss in training.
        initial_std: standard deviation of the initial weights.
        kmer_orders: lengths k of the k-mer tables at the input; empty for none.
        kmer_dims: width of each table.
        kmer_rows: largest number of rows of a table; larger tables are hashed to this size; 0 never hashes.
        gengram: Gengram memory inside some layers; None for none.

    Raises:
        ModelError: a value is invalid, or values contradict each other.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn_size: int
    num_experts: int = 0
    experts_per_token: int = 0
    rope_theta: float = 1e4
    max_positions: int = 1_048_576
    norm_eps: float = 1e-5
    pad_id: int = 14
    tied: bool = False
    router_aux_coef: float = 1e-3
    router_z_coef: float = 1e-3
    initial_std: float = 0.02
    kmer_orders: tuple[int, ...] = ()
    kmer_dims: tuple[int, ...] = ()
    kmer_rows: int = 0
    gengram: GengramConfig | None = None

    def __post_init__(self) -> None:
        positive = ("vocab_size", "hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_dim", "ffn_size")
        for name in positive:
            if getattr(self, name) < 1:
                raise ModelError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.num_heads % self.num_kv_heads:
            raise ModelError(f"num_heads ({self.num_heads}) must be a multiple of num_kv_heads ({self.num_kv_heads})")
        if self.head_dim % 2:
            raise ModelError(f"head_dim must be even for rotary positions, not {self.head_dim}")
        if self.num_experts and not 1 <= self.experts_per_token <= self.num_experts:
            raise ModelError(f"experts_per_token must be in 1..{self.num_experts}, not {self.experts_per_token}")
        self._check_kmers()
        if self.gengram is not None and self.gengram.layers[-1] > self.num_layers:
            raise ModelError(f"gengram layers must be in 1..{self.num_layers}, not {self.gengram.layers[-1]}")

    def _check_kmers(self) -> None:
        orders, dims = self.kmer_orders, self.kmer_dims
        if len(orders) != len(dims) or any(dim < 1 for dim in dims):
            raise ModelError(
                f"kmer_dims must have a positive width for each of kmer_orders {list(orders)}, not {list(dims)}"
            )
        if list(orders) != sorted(set(orders)) or any(not 1 <= order <= 24 for order in orders):
            raise ModelError(f"kmer_orders must be ascending whole numbers in 1..24, not {list(orders)}")
        if self.kmer_rows < 0 or (orders and max(table_sizes(orders, self.kmer_rows)) > _MOST_ROWS):
            raise ModelError(
                f"a k-mer table must have at most {_MOST_ROWS:,} rows: set kmer_rows to hash longer k-mers"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DecoderConfig:
        """Read the values that :meth:`to_dict` returned; an unknown or missing key is a ModelError."""
        return from_json(cls, values, DECODER_PARTS)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values, without absent k-mer memories."""
        values = asdict(self)
        optional = ("kmer_orders", "kmer_dims", "kmer_rows", "gengram")
        return {key: value for key, value in values.items() if value or key not in optional}

    def shrunk(self) -> DecoderConfig:
        """Return the same architecture at a size that runs in milliseconds, for tests and examples."""
        heads = min(self.num_heads, 4)
        return replace(
            self,
            hidden_size=32,
            num_layers=min(self.num_layers, 3),
            num_heads=heads,
            num_kv_heads=max(1, heads * self.num_kv_heads // self.num_heads),
            head_dim=min(self.head_dim, 8),
            ffn_size=48,
            kmer_orders=tuple(range(2, 2 + len(self.kmer_orders))),
            kmer_dims=tuple(min(dim, 8) for dim in self.kmer_dims),
            kmer_rows=min(self.kmer_rows, 50),
            gengram=None if self.gengram is None else self.gengram.shrunk(min(self.num_layers, 3)),
        )

    @property
    def objective(self) -> Literal["causal", "masked"]:
        """Objective of its pretraining: always ``causal``, the next token."""
        return "causal"

    @property
    def causal(self) -> bool:
        """Always true: each token is predicted from those before it."""
        return True

    @property
    def built_in_heads(self) -> dict[str, BuiltInHead]:
        """The language-model head, by name."""
        return {"language": BuiltInHead("language", "token", self.vocab_size)}

    @property
    def attention_parameters(self) -> int:
        """Number of weights of a layer's attention: Q and O over the query heads, K and V over the key-value heads."""
        return 2 * self.hidden_size * self.head_dim * (self.num_heads + self.num_kv_heads)

    @property
    def expert_parameters(self) -> int:
        """Number of weights of a SwiGLU block: gate, up and down."""
        return 3 * self.hidden_size * self.ffn_size

    @property
    def kmer_parameters(self) -> int:
        """Number of weights of the input k-mer tables and their projection; 0 without tables."""
        sizes = table_sizes(self.kmer_orders, self.kmer_rows)
        return sum((size + 1 + self.hidden_size) * dim for size, dim in zip(sizes, self.kmer_dims, strict=True))

    @property
    def gengram_parameters(self) -> int:
        """Number of weights of all Gengram memories."""
        memory = self.gengram
        return 0 if memory is None else len(memory.layers) * memory.parameters(self.hidden_size)

    @property
    def head_parameters(self) -> int:
        """Number of weights of the language-model head; 0 if it is tied to the embedding."""
        return 0 if self.tied else self.vocab_size * self.hidden_size

    @property
    def parameters(self) -> int:
        """Number of weights, including the head."""
        return self._count(self.num_experts or 1) + self.head_parameters

    @property
    def backbone_parameters(self) -> int:
        """Number of weights without the language-model head."""
        return self.parameters - self.head_parameters

    @property
    def active_parameters(self) -> int:
        """Number of weights that one token passes through, with embedding and head counted in full."""
        return self._count(self.experts_per_token or 1) + self.head_parameters

    def _count(self, experts: int) -> int:
        router = self.num_experts * self.hidden_size
        layer = self.attention_parameters + experts * self.expert_parameters + router + 2 * self.hidden_size
        embedding = self.vocab_size * self.hidden_size
        return embedding + self.kmer_parameters + self.gengram_parameters + self.num_layers * layer + self.hidden_size

    def cache_bytes(self, tokens: int, bytes_per_value: int = 2) -> int:
        """Return the size of the key-value cache for ``tokens`` positions, in bytes."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim * bytes_per_value * tokens

    def table_bytes(self, width: int) -> int:
        """Return the size of the folded tables that inference keeps for the Gengram memories of all layers, in bytes.

        Zero under ``released-bf16``, whose running sums cannot be folded.
        """
        memory = self.gengram
        if memory is None or memory.compat == "released-bf16":
            return 0
        return len(memory.layers) * memory.folded_bytes(self.hidden_size, width)

    def pass_bytes(self, tokens: int, width: int, *, logits: bool = True) -> int:
        """Return the memory of the activations of a pass over ``tokens`` tokens, in bytes.

        Residual stream, norm and attention output (4 D), queries and their output (2 H d), keys and values, plain and
        rotated (4 H_kv d), the inner activations of 8,192 tokens at a time (3 F for every chosen expert), and logits
        and log-probabilities in fp32 (2 V).

        Args:
            tokens: number of tokens; padding costs as much as tokens.
            width: bytes per activation.
            logits: whether logits of all tokens are computed.
        """
        heads = 2 * self.num_heads * self.head_dim + 4 * self.num_kv_heads * self.head_dim
        stream = tokens * (4 * self.hidden_size + heads) * width
        inner = min(tokens, _ROWS_AT_ONCE) * 3 * self.ffn_size * max(1, self.experts_per_token) * width
        head = tokens * 2 * self.vocab_size * 4 if logits else 0
        return stream + inner + head + self._memory_bytes(tokens, width)

    def _memory_bytes(self, tokens: int, width: int) -> int:
        """Return the memory of one Gengram module: k-mers (4 int64) and gated values (2 D); averaged rows and
        projections (orders x dim and 2 D) of the tokens that are read at a time, which are all tokens under
        ``released-bf16``."""
        memory = self.gengram
        if memory is None:
            return 0
        at_once = tokens if memory.compat == "released-bf16" else min(tokens, _READ_AT_ONCE)
        read = at_once * (len(memory.orders) * memory.dim + 2 * self.hidden_size) * 2 * width
        return tokens * (4 * 8 + 2 * self.hidden_size * width) + read

    def tokens_at_once(self, tokens: int) -> int:
        """Return the number of tokens of a sequence that pass the network together: all of them."""
        return tokens

    def layout_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return no block layouts, which only encoders store."""
        return {}

    def for_tokens(self, tokens: int, where: str, *, stated: bool) -> DecoderConfig:
        """Return the config itself, which holds for a tokenizer of any number of tokens."""
        return self
