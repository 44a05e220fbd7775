"""Config of an encoder, with parameter counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from genolm.errors import ModelError
from genolm.models.config_json import from_json
from genolm.models.networks.built_in_head import BuiltInHead
from genolm.models.networks.recurrent_memory_config import MemoryConfig

NormPlace = Literal["pre", "post"]
Positions = Literal["absolute", "rotary"]
Activation = Literal["gelu", "gelu_tanh", "silu"]
Pooler = Literal["none", "tanh", "linear"]
LabelsOf = Literal["sequence", "token"]
SparseKind = Literal["deepspeed", "bigbird"]
RandomBlocks = Literal["stored", "zero", "seeded"]


@dataclass(frozen=True, slots=True)
class BlockSparseConfig:
    """Block-sparse attention (BigBird, Zaheer et al. 2020), in one of two published patterns.

    Attributes:
        kind: ``deepspeed``: the first two blocks are global, other links are sampled once for each head and stored with
            the weights; ``bigbird``: the first and the last block are global.
        block: tokens per block.
        random: number of random key blocks per query block.
        random_blocks: origin of the random blocks: ``stored`` (with the weights; only and always for ``deepspeed``);
            ``zero``: block 0 is counted ``random`` times more, as in transformers since 4.30; ``seeded``: sampled for
            each layer with its index as seed, as in earlier versions.
        per_layer_layout: ``deepspeed``: each layer uses its own stored layout; else all use that of layer 0, as the
            published models were trained.
    """

    kind: SparseKind
    block: int = 64
    random: int = 3
    random_blocks: RandomBlocks = "stored"
    per_layer_layout: bool = False

    def __post_init__(self) -> None:
        _among("kind", self.kind, get_args(SparseKind))
        _among("random_blocks", self.random_blocks, get_args(RandomBlocks))
        if self.block < 1 or self.random < 0:
            raise ModelError(f"block must be at least 1 and random at least 0, not {self.block} and {self.random}")
        if (self.kind == "deepspeed") != (self.random_blocks == "stored"):
            raise ModelError(f"random_blocks {self.random_blocks!r} is not applicable to the pattern {self.kind!r}")
        if self.per_layer_layout and self.kind != "deepspeed":
            raise ModelError("only deepspeed patterns have a layout for each layer")


ENCODER_PARTS: Mapping[str, type[Any]] = {"sparse": BlockSparseConfig, "memory": MemoryConfig}
"""Fields of an :class:`EncoderConfig` that hold a config themselves."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Config of a bidirectional encoder: GENA-LM (BERT, BigBird), ModernGENA, genolm's own small models.

    Attributes:
        vocab_size: rows of the embedding, including padding rows.
        hidden_size: width D of the residual stream.
        num_layers: number of layers.
        num_heads: number of heads, each ``hidden_size / num_heads`` wide.
        ffn_size: inner width of the feed-forward block.
        max_positions: longest input, in tokens.
        token_rows: number of ids that are tokens; logits of further rows are minus infinity. 0: all rows are tokens.
        norm: position of LayerNorms: before the blocks (``pre``) or after the residual sums (``post``).
        final_norm: whether there is a norm after the last layer (``pre`` only).
        first_norm: whether the first layer has a norm before its attention (``pre`` only).
        norm_eps: epsilon of every LayerNorm.
        norm_bias: whether LayerNorms have a bias.
        bias: whether linear layers have a bias. The decoder of the masked-language head always has one.
        positions: ``absolute``: a table of vectors; ``rotary``: queries and keys are rotated.
        rotary_dim: number of dimensions of each head that are rotated; 0 for all.
        rope_theta: base of the rotary positions in layers with full attention.
        local_rope_theta: base in layers with a local window.
        token_types: rows of the token-type table; 0 for none.
        activation: activation of the feed-forward block; ``gelu`` is exact, ``gelu_tanh`` its approximation.
        head_activation: activation of the masked-language head.
        gated: whether the feed-forward block is gated (GeGLU), gate first.
        global_every: interval of layers with full attention, from the first; the others have a window. 0: all are full.
        local_window: width of that window: tokens at most half of it away, inclusive; must be even.
        sparse: block-sparse attention; None for full attention.
        masked_head: whether there is a masked-language head; fine-tuned models may have none.
        pooler: pooler of the first token, a linear layer and tanh: ``none``, that of BERT (``tanh``) or that of
            BigBird (``linear``), which computes the same but is stored as a bare linear layer.
        sentence_head: whether there is a two-class head for sentence order, which requires a pooler.
        labels: number of outputs of a fine-tuned head; 0 for none.
        labels_of: what they describe: the ``sequence`` (from the pooler) or each ``token``.
        memory: recurrent memory for long sequences, read a segment at a time; None for none. Its vectors are
            the last rows of the embedding, beyond ``token_rows``.
        pad_id: id of the padding token.
        initial_std: standard deviation of the initial weights.

    Raises:
        ModelError: a value is invalid, or values contradict each other.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    ffn_size: int
    max_positions: int = 512
    token_rows: int = 0
    norm: NormPlace = "pre"
    final_norm: bool = True
    first_norm: bool = True
    norm_eps: float = 1e-12
    norm_bias: bool = True
    bias: bool = True
    positions: Positions = "absolute"
    rotary_dim: int = 0
    rope_theta: float = 1e4
    local_rope_theta: float = 1e4
    token_types: int = 2
    activation: Activation = "gelu"
    head_activation: Activation = "gelu"
    gated: bool = False
    global_every: int = 0
    local_window: int = 0
    sparse: BlockSparseConfig | None = None
    masked_head: bool = True
    pooler: Pooler = "none"
    sentence_head: bool = False
    labels: int = 0
    labels_of: LabelsOf = "sequence"
    memory: MemoryConfig | None = None
    pad_id: int = 3
    initial_std: float = 0.02

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_layers", "num_heads", "ffn_size", "max_positions"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name, allowed in _CHOICES.items():
            _among(name, getattr(self, name), allowed)
        if self.hidden_size % self.num_heads:
            raise ModelError(f"hidden_size ({self.hidden_size}) must be a multiple of num_heads ({self.num_heads})")
        if not 0 <= self.token_rows <= self.vocab_size:
            raise ModelError(f"token_rows must be in 0..{self.vocab_size}, not {self.token_rows}")
        if not 0 <= self.pad_id < self.vocab_size:
            raise ModelError(f"pad_id {self.pad_id} is outside the vocabulary of {self.vocab_size}")
        self._check_norms()
        self._check_positions()
        self._check_attention()
        self._check_memory()
        if self.sentence_head and self.pooler == "none":
            raise ModelError("a sentence head requires a pooler")
        if self.labels and self.labels_of == "sequence" and self.pooler == "none":
            raise ModelError("sequence labels require a pooler")

    def _check_norms(self) -> None:
        if not 0 <= self.norm_eps < math.inf:
            raise ModelError(f"norm_eps must be finite and not negative, not {self.norm_eps}")
        if self.norm == "post" and (self.final_norm or not self.first_norm):
            raise ModelError("norm post allows neither final_norm nor a missing first_norm")

    def _check_positions(self) -> None:
        rotary = self.positions == "rotary"
        if not rotary and self.rotary_dim:
            raise ModelError("rotary_dim requires rotary positions")
        if rotary and (self.rotated_dim % 2 or not 0 < self.rotated_dim <= self.head_dim):
            raise ModelError(f"rotary_dim must be even and at most {self.head_dim}, not {self.rotated_dim}")

    def _check_attention(self) -> None:
        if bool(self.global_every) != bool(self.local_window):
            raise ModelError("global_every and local_window must be given together")
        if self.global_every < 0 or self.local_window < 0 or self.local_window % 2:
            raise ModelError(f"local_window must be even and not negative, not {self.local_window}")
        if self.sparse is not None and self.global_every:
            raise ModelError("sparse attention and local windows exclude each other")

    def _check_memory(self) -> None:
        memory = self.memory
        if memory is None:
            return
        spare = self.vocab_size - self.tokens
        if spare < memory.tokens:
            raise ModelError(
                f"a memory of {memory.tokens} vectors requires as many rows beyond the tokens; there are {spare}"
            )
        if self.positions == "absolute" and memory.segment > self.max_positions:
            raise ModelError(f"segments of {memory.segment} tokens exceed the {self.max_positions} positions")
        if max(memory.cls_id, memory.sep_id, memory.attended_padding or 0) >= self.tokens:
            raise ModelError(f"the special tokens of the memory must be among the {self.tokens} tokens")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """Read the values that :meth:`to_dict` returned; an unknown or missing key is a ModelError."""
        return from_json(cls, values, ENCODER_PARTS)

    def for_tokens(self, tokens: int, where: str, *, stated: bool) -> EncoderConfig:
        """Return the config for a tokenizer of ``tokens`` tokens, which may be fewer than the rows of the embedding.

        Args:
            tokens: number of tokens of the tokenizer.
            where: name of the model in errors.
            stated: whether the config states its number of tokens, as our own do; published ones do not.

        Raises:
            ModelError: the tokenizer has more tokens than the config states.
        """
        if tokens > self.tokens:
            raise ModelError(
                f"{where}: its tokenizer has {tokens} tokens, but its config has token_rows {self.token_rows}"
            )
        fewer = not stated and not self.token_rows and tokens < self.vocab_size
        return replace(self, token_rows=tokens) if fewer else self

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values."""
        return asdict(self)

    def shrunk(self) -> EncoderConfig:
        """Return the same architecture at a size that runs in milliseconds, for tests and examples."""
        heads = min(self.num_heads, 4)
        return replace(
            self,
            vocab_size=min(self.vocab_size, 128),
            token_rows=min(self.token_rows, 96),
            hidden_size=heads * 8,
            num_layers=min(self.num_layers, 4 if self.global_every else 3),
            num_heads=heads,
            ffn_size=48,
            max_positions=min(self.max_positions, 256),
            rotary_dim=min(self.rotary_dim, 4),
            local_window=min(self.local_window, 16),
            sparse=None if self.sparse is None else replace(self.sparse, block=4, random=min(self.sparse.random, 2)),
            labels=min(self.labels, 5),
            memory=None if self.memory is None else replace(self.memory, tokens=min(self.memory.tokens, 4), segment=32),
        )

    @property
    def objective(self) -> Literal["causal", "masked"]:
        """Objective of its pretraining: always ``masked``, masked tokens."""
        return "masked"

    @property
    def causal(self) -> bool:
        """Always false: each token is read together with those on both sides."""
        return False

    @property
    def built_in_heads(self) -> dict[str, BuiltInHead]:
        """The heads of the network, by name."""
        heads = (
            (self.masked_head, BuiltInHead("masked", "token", self.vocab_size)),
            (self.pooler != "none", BuiltInHead("pooler", "sequence", self.hidden_size)),
            (self.sentence_head and self.memory is None, BuiltInHead("sentence", "sequence", 2)),
            (self.labels > 0, BuiltInHead("labels", self.labels_of, self.labels)),
        )
        return {head.kind: head for present, head in heads if present}

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.hidden_size // self.num_heads

    @property
    def rotated_dim(self) -> int:
        """Number of dimensions of each head that rotary positions rotate."""
        return self.rotary_dim or self.head_dim

    @property
    def tokens(self) -> int:
        """Number of rows of the embedding that are tokens."""
        return self.token_rows or self.vocab_size

    def is_local(self, layer: int) -> bool:
        """Return whether a layer, counted from 0, attends to its local window only."""
        return bool(self.global_every) and layer % self.global_every != 0

    @property
    def head_parameters(self) -> int:
        """Number of weights of the masked-language head: dense layer, norm and decoder bias; 0 without it."""
        if not self.masked_head:
            return 0
        return self._linear(self.hidden_size, self.hidden_size) + self._norm + self.vocab_size

    @property
    def parameters(self) -> int:
        """Number of weights: embeddings, layers, masked-language head, pooler and other heads."""
        return self.backbone_parameters + self.head_parameters + self._further_heads

    @property
    def backbone_parameters(self) -> int:
        """Number of weights of embeddings and layers."""
        width = self.hidden_size
        tables = self.vocab_size + self.token_types + (self.max_positions if self.positions == "absolute" else 0)
        attention = 4 * self._linear(width, width)
        ffn = (2 if self.gated else 1) * self._linear(width, self.ffn_size) + self._linear(self.ffn_size, width)
        norms = 1 + 2 * self.num_layers + self.final_norm - (not self.first_norm)
        return tables * width + self.num_layers * (attention + ffn) + norms * self._norm

    @property
    def active_parameters(self) -> int:
        """Number of weights; every token passes through all of them."""
        return self.parameters

    @property
    def num_kv_heads(self) -> int:
        """Number of key-value heads: one for each query head."""
        return self.num_heads

    @property
    def num_experts(self) -> int:
        """Number of experts: none."""
        return 0

    @property
    def experts_per_token(self) -> int:
        """Number of experts that each token passes through: none."""
        return 0

    @property
    def gengram_parameters(self) -> int:
        """Number of weights of Gengram memories, which only decoders have."""
        return 0

    def cache_bytes(self, tokens: int, bytes_per_value: int = 2) -> int:
        """Return the size of the key-value cache, which an encoder does not have: 0."""
        return 0

    def table_bytes(self, width: int) -> int:
        """Return the size of the folded tables of Gengram memories, which an encoder does not have: 0."""
        return 0

    def pass_bytes(self, tokens: int, width: int, *, logits: bool = True) -> int:
        """Return the memory of the activations of a pass over ``tokens`` tokens, in bytes.

        Attention works in bounded pieces: residual stream, norm, queries, keys, values, mixed values and their
        projection (8 D; 10 D with rotated queries and keys), inner activations of all tokens (2 F, gated 3 F), and
        logits and log-probabilities in fp32 (2 V).

        Args:
            tokens: number of tokens; padding costs only its share of the output.
            width: bytes per activation.
            logits: whether logits of all tokens are computed.
        """
        stream = (10 if self.positions == "rotary" else 8) * self.hidden_size
        inner = (3 if self.gated else 2) * self.ffn_size
        head = 2 * self.vocab_size * 4 if self.masked_head and logits else 0
        return tokens * ((stream + inner) * width + head)

    def tokens_at_once(self, tokens: int) -> int:
        """Return the number of tokens of a sequence that pass the network together: at most a segment of a memory."""
        return tokens if self.memory is None else min(tokens, self.memory.segment)

    def layout_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and the shape, (heads, blocks, blocks), of each block layout stored with the weights.

        Empty for a network whose attention follows from its config.
        """
        if self.sparse is None or self.sparse.random_blocks != "stored":
            return {}
        blocks = -(-self.max_positions // self.sparse.block)
        shape = (self.num_heads, blocks, blocks)
        return {f"layers.{layer}.attention.layout": shape for layer in range(self.num_layers)}

    @property
    def _further_heads(self) -> int:
        pooler = self.hidden_size * (self.hidden_size + 1) if self.pooler != "none" else 0
        outputs = self.labels + (2 if self.sentence_head else 0)
        return pooler + outputs * (self.hidden_size + 1)

    @property
    def _norm(self) -> int:
        return self.hidden_size * (1 + self.norm_bias)

    def _linear(self, inputs: int, outputs: int) -> int:
        return (inputs + self.bias) * outputs


_CHOICES: dict[str, tuple[str, ...]] = {
    "norm": get_args(NormPlace),
    "positions": get_args(Positions),
    "activation": get_args(Activation),
    "head_activation": get_args(Activation),
    "pooler": get_args(Pooler),
    "labels_of": get_args(LabelsOf),
}


def _among(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ModelError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
