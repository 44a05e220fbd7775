"""What a decoder is made of: the numbers that fix its tensors, and what follows from them by arithmetic."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from genolm.errors import ModelError
from genolm.models.gengram.gengram_config import GengramConfig, table_sizes
from genolm.models.model_files import refuse_unknown

_MOST_ROWS = 4**12


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Shape of a causal decoder: Genos and Gengram (experts), GenomeOcean (dense), genolm's own small models.

    Attributes:
        vocab_size: rows of the embedding and of the head, padding rows included.
        hidden_size: width D of the residual stream.
        num_layers: decoder layers.
        num_heads: query heads.
        num_kv_heads: key and value heads; divides ``num_heads``.
        head_dim: width of one head; ``num_heads * head_dim`` need not be ``hidden_size``.
        ffn_size: inner width of the SwiGLU block, of each expert where there are experts.
        num_experts: 0 for a dense feed-forward block.
        experts_per_token: experts that each token passes through.
        rope_theta: base of the rotary position embedding.
        max_positions: longest context that the positions were made for, in tokens.
        norm_eps: epsilon of RMSNorm.
        pad_id: id of the padding token.
        tied: whether the head shares the embedding's tensor.
        router_aux_coef: weight of the load-balancing loss in training.
        router_z_coef: weight of the router z-loss in training.
        initial_std: standard deviation of the initial weights.
        kmer_orders: lengths k of the k-mers whose tables are added to the input; none for no such memory.
        kmer_dims: width of each of these tables.
        kmer_rows: a table that would have more rows than this is hashed into so many; 0 never hashes.
        gengram: the k-mer memory inside some layers; None for none.

    Raises:
        ModelError: when the numbers contradict each other.
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
            raise ModelError(f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}")
        if self.head_dim % 2:
            raise ModelError(f"head_dim must be even for rotary positions, not {self.head_dim}")
        if self.num_experts and not 1 <= self.experts_per_token <= self.num_experts:
            raise ModelError(f"experts_per_token {self.experts_per_token} is not in 1..{self.num_experts}")
        self._check_kmers()
        if self.gengram is not None and self.gengram.layers[-1] > self.num_layers:
            raise ModelError(f"gengram layer {self.gengram.layers[-1]} is not in 1..{self.num_layers}")

    def _check_kmers(self) -> None:
        orders, dims = self.kmer_orders, self.kmer_dims
        if len(orders) != len(dims) or any(dim < 1 for dim in dims):
            raise ModelError(f"each of the kmer_orders {list(orders)} needs a width in kmer_dims, not {list(dims)}")
        if list(orders) != sorted(set(orders)) or any(not 1 <= order <= 24 for order in orders):
            raise ModelError(f"kmer_orders are ascending whole numbers in 1..24, not {list(orders)}")
        if self.kmer_rows < 0 or (orders and max(table_sizes(orders, self.kmer_rows)) > _MOST_ROWS):
            raise ModelError(f"a k-mer table has at most {_MOST_ROWS:,} rows: set kmer_rows to hash longer k-mers")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DecoderConfig:
        """The config that :meth:`to_dict` wrote; an unknown key is a ModelError."""
        refuse_unknown(cls, values)
        lists: dict[str, Any] = {key: tuple(values[key]) for key in ("kmer_orders", "kmer_dims") if key in values}
        values, memory = {**values, **lists}, values.get("gengram")
        if memory is not None and not isinstance(memory, GengramConfig):
            values = {**values, "gengram": GengramConfig.from_dict(memory)}
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values; k-mer memories that are not there are left out."""
        values = asdict(self)
        optional = ("kmer_orders", "kmer_dims", "kmer_rows", "gengram")
        return {key: value for key, value in values.items() if value or key not in optional}

    def shrunk(self) -> DecoderConfig:
        """The same architecture at a size that runs in milliseconds, for tests and examples."""
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
    def attention_parameters(self) -> int:
        """Weights of one layer's attention: Q and O over the query heads, K and V over the key-value heads."""
        return 2 * self.hidden_size * self.head_dim * (self.num_heads + self.num_kv_heads)

    @property
    def expert_parameters(self) -> int:
        """Weights of one SwiGLU block: gate, up and down."""
        return 3 * self.hidden_size * self.ffn_size

    @property
    def kmer_parameters(self) -> int:
        """Weights of the input k-mer tables and their projection; 0 without any."""
        sizes = table_sizes(self.kmer_orders, self.kmer_rows)
        return sum((size + 1 + self.hidden_size) * dim for size, dim in zip(sizes, self.kmer_dims, strict=True))

    @property
    def gengram_parameters(self) -> int:
        """Weights of the k-mer memories of all layers that have one."""
        memory = self.gengram
        return 0 if memory is None else len(memory.layers) * memory.parameters(self.hidden_size)

    @property
    def head_parameters(self) -> int:
        """Weights of the language-model head; 0 when it is tied to the embedding."""
        return 0 if self.tied else self.vocab_size * self.hidden_size

    @property
    def parameters(self) -> int:
        """All weights, head included."""
        return self._count(self.num_experts or 1) + self.head_parameters

    @property
    def backbone_parameters(self) -> int:
        """All weights without the language-model head."""
        return self.parameters - self.head_parameters

    @property
    def active_parameters(self) -> int:
        """Weights that one token passes through, with embedding and head counted whole."""
        return self._count(self.experts_per_token or 1) + self.head_parameters

    def _count(self, experts: int) -> int:
        router = self.num_experts * self.hidden_size
        layer = self.attention_parameters + experts * self.expert_parameters + router + 2 * self.hidden_size
        embedding = self.vocab_size * self.hidden_size
        return embedding + self.kmer_parameters + self.gengram_parameters + self.num_layers * layer + self.hidden_size

    def cache_bytes(self, tokens: int, bytes_per_value: int = 2) -> int:
        """Key-value cache of ``tokens`` positions, in bytes."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim * bytes_per_value * tokens
