"""What an encoder is made of: numbers and choices that fix its tensors, and what follows from them by arithmetic."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from genolm.errors import ModelError
from genolm.models.model_files import refuse_unknown
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
    """Attention by blocks of tokens (BigBird, Zaheer et al. 2020), in one of two published patterns.

    Attributes:
        kind: ``deepspeed``: the first two blocks are global, other links are drawn once for each head and stored with
            the weights; ``bigbird``: the first and the last block are global.
        block: tokens of a block.
        random: random key blocks of every query block.
        random_blocks: where those come from: ``stored`` (with the weights; only and always for ``deepspeed``);
            ``zero``: block 0 counts so many times more, as transformers has done since 4.30; ``seeded``: drawn for
            every layer from its number, as transformers did before.
        per_layer_layout: ``deepspeed``: each layer uses the layout stored with it; else all use that of layer 0, as the
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
            raise ModelError(f"blocks of {self.block} tokens with {self.random} random ones are no attention pattern")
        if (self.kind == "deepspeed") != (self.random_blocks == "stored"):
            raise ModelError(f"random_blocks {self.random_blocks!r} is not a way of the pattern {self.kind!r}")
        if self.per_layer_layout and self.kind != "deepspeed":
            raise ModelError("only deepspeed patterns have a layout for each layer")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BlockSparseConfig:
        """The config of its fields; an unknown key is a ModelError."""
        refuse_unknown(cls, values)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Shape of a bidirectional encoder: GENA-LM (BERT, BigBird), ModernGENA, genolm's own small ones.

    Attributes:
        vocab_size: rows of the embedding, padding rows included.
        hidden_size: width D of the residual stream.
        num_layers: layers.
        num_heads: heads; each is ``hidden_size / num_heads`` wide.
        ffn_size: inner width of the feed-forward block.
        max_positions: longest input in tokens.
        token_rows: ids that are tokens; the logits of rows beyond them are minus infinity. 0 for all of them.
        norm: whether LayerNorms stand before the blocks (``pre``) or after the residual sums (``post``).
        final_norm: whether one more stands after the last layer (``pre`` only).
        first_norm: whether the first layer has a norm before its attention (``pre`` only).
        norm_eps: epsilon of every LayerNorm.
        norm_bias: whether LayerNorms have a bias.
        bias: whether linear layers have one. The decoder of the masked-language head always has.
        positions: ``absolute``: a table of vectors; ``rotary``: queries and keys are turned.
        rotary_dim: dimensions of each head that are turned; 0 for all.
        rope_theta: base of the rotary positions of layers that see everything.
        local_rope_theta: base in layers with a local window.
        token_types: rows of the token-type table; 0 for none.
        activation: of the feed-forward block; ``gelu`` is the exact one, ``gelu_tanh`` its approximation.
        head_activation: of the masked-language head.
        gated: whether the feed-forward block is gated (GeGLU), gate first.
        global_every: every so many layers, from the first on, one sees everything, the others their window; 0: all do.
        local_window: width of that window: tokens at most half of it away, inclusive.
        sparse: attention by blocks; None for all tokens to all tokens.
        masked_head: whether the masked-language head is there; a model fine-tuned to labels may have none.
        pooler: what makes one vector of the first token, by a linear layer and tanh: nothing, BERT's pooler (``tanh``),
            or BigBird's (``linear``), which computes the same but is stored as a bare linear layer.
        sentence_head: whether the two-way head on sentence order is there; needs a pooler.
        labels: outputs of a fine-tuned head; 0 for none.
        labels_of: what they describe: the ``sequence`` (from the pooler) or every ``token``.
        memory: recurrent memory, with which long sequences are read a segment at a time; None for none. Its vectors are
            the last rows of the embedding, beyond ``token_rows``.
        pad_id: id of the padding token.
        initial_std: standard deviation of the initial weights.

    Raises:
        ModelError: when the numbers contradict each other.
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
            raise ModelError(f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}")
        if not 0 <= self.token_rows <= self.vocab_size:
            raise ModelError(f"token_rows {self.token_rows} is not in 0..{self.vocab_size}")
        if not 0 <= self.pad_id < self.vocab_size:
            raise ModelError(f"pad_id {self.pad_id} is outside the vocabulary of {self.vocab_size}")
        self._check_norms()
        self._check_positions()
        self._check_attention()
        self._check_memory()
        if self.sentence_head and self.pooler == "none":
            raise ModelError("a sentence head reads the pooler, and there is none")
        if self.labels and self.labels_of == "sequence" and self.pooler == "none":
            raise ModelError("labels of a sequence are read from the pooler, and there is none")

    def _check_norms(self) -> None:
        if not 0 <= self.norm_eps < math.inf:
            raise ModelError(f"norm_eps must be a number that is not negative, not {self.norm_eps}")
        if self.norm == "post" and (self.final_norm or not self.first_norm):
            raise ModelError("norms after the blocks (post) have no final norm and leave none out")

    def _check_positions(self) -> None:
        rotary = self.positions == "rotary"
        if not rotary and self.rotary_dim:
            raise ModelError("rotary_dim belongs to rotary positions")
        if rotary and (self.turned_dim % 2 or not 0 < self.turned_dim <= self.head_dim):
            raise ModelError(f"rotary_dim must be even and at most {self.head_dim}, not {self.turned_dim}")

    def _check_attention(self) -> None:
        if bool(self.global_every) != bool(self.local_window):
            raise ModelError("global_every and local_window belong together")
        if self.global_every < 0 or self.local_window < 0 or self.local_window % 2:
            raise ModelError(f"no local window of {self.local_window} tokens: it is even")
        if self.sparse is not None and self.global_every:
            raise ModelError("attention is by blocks or by local windows, not both")

    def _check_memory(self) -> None:
        memory = self.memory
        if memory is None:
            return
        spare = self.vocab_size - self.tokens
        if spare < memory.tokens:
            raise ModelError(
                f"a memory of {memory.tokens} vectors needs as many rows beyond the tokens; the embedding has {spare}"
            )
        if self.positions == "absolute" and memory.segment > self.max_positions:
            raise ModelError(f"segments of {memory.segment} tokens are beyond the {self.max_positions} positions")
        if max(memory.cls_id, memory.sep_id, memory.attended_padding or 0) >= self.tokens:
            raise ModelError(f"a special token of the memory is none of the {self.tokens} tokens of the vocabulary")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """The config that :meth:`to_dict` wrote; an unknown key is a ModelError."""
        refuse_unknown(cls, values)
        sparse = values.get("sparse")
        if isinstance(sparse, dict):
            values = {**values, "sparse": BlockSparseConfig.from_dict(sparse)}
        memory = values.get("memory")
        if isinstance(memory, dict):
            values = {**values, "memory": MemoryConfig.from_dict(memory)}
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return asdict(self)

    def shrunk(self) -> EncoderConfig:
        """The same architecture at a size that runs in milliseconds, for tests and examples."""
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
    def head_dim(self) -> int:
        """Width of one head."""
        return self.hidden_size // self.num_heads

    @property
    def turned_dim(self) -> int:
        """Dimensions of each head that rotary positions turn."""
        return self.rotary_dim or self.head_dim

    @property
    def tokens(self) -> int:
        """Rows of the embedding that are tokens."""
        return self.token_rows or self.vocab_size

    def is_local(self, layer: int) -> bool:
        """Whether a layer, counted from 0, sees its local window only."""
        return bool(self.global_every) and layer % self.global_every != 0

    @property
    def head_parameters(self) -> int:
        """Weights of the masked-language head: its dense layer, its norm and the decoder's bias; 0 without it."""
        if not self.masked_head:
            return 0
        return self._linear(self.hidden_size, self.hidden_size) + self._norm + self.vocab_size

    @property
    def parameters(self) -> int:
        """All weights: embeddings, layers, masked-language head, and pooler and other heads where they are."""
        return self.backbone_parameters + self.head_parameters + self._further_heads

    @property
    def backbone_parameters(self) -> int:
        """Weights of embeddings and layers."""
        width = self.hidden_size
        tables = self.vocab_size + self.token_types + (self.max_positions if self.positions == "absolute" else 0)
        attention = 4 * self._linear(width, width)
        ffn = (2 if self.gated else 1) * self._linear(width, self.ffn_size) + self._linear(self.ffn_size, width)
        norms = 1 + 2 * self.num_layers + self.final_norm - (not self.first_norm)
        return tables * width + self.num_layers * (attention + ffn) + norms * self._norm

    @property
    def active_parameters(self) -> int:
        """All weights: every token passes through them all."""
        return self.parameters

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
