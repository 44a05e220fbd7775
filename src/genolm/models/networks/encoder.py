"""Bidirectional encoder of GENA-LM (BERT, BigBird) and ModernGENA.

Padding has no cost and no effect: the real tokens of all rows are concatenated in one array, and only attention uses
the row boundaries.

Shapes: B rows, L tokens of the longest row, T real tokens of all rows, D residual width, V vocabulary, N positions with
requested logits, C labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.errors import ModelError
from genolm.models.networks.attention.attention import rotary_angles, rotate
from genolm.models.networks.attention.block_attention import block_attentions, initial_layout
from genolm.models.networks.attention.encoder_attention import RowAttention, attend, full_attention, local_attention
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.packing import Packing
from genolm.models.networks.token_vectors import token_vectors

Angles = tuple[Tensor, Tensor]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}


class EncoderOutput(NamedTuple):
    """Output of one pass.

    Attributes:
        logits: logits of the masked-language head, fp32: (B, L, V), or (N, V) of requested positions; None if not
            requested. Minus infinity for rows of the embedding that are not tokens; undefined at padding.
        hidden: requested layers, (B, L, D) each, zero at padding: 0 after the norm of the embedding, n after layer n,
            ``num_layers`` after the final norm if there is one.
        pooled_BD: pooled vector of each row; None without a pooler.
        sentence_B2: logits of the sentence head; None without one.
        labels: outputs of the fine-tuned head, (B, C) for sequences or (B, L, C) for tokens; None without one.
    """

    logits: Tensor | None
    hidden: dict[int, Tensor]
    pooled_BD: Tensor | None = None
    sentence_B2: Tensor | None = None
    labels: Tensor | None = None


class Embedding(nn.Module):
    """Sum of token, position and type embeddings, normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.tokens = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(config.max_positions, width) if config.positions == "absolute" else None
        self.types = nn.Embedding(config.token_types, width) if config.token_types else None
        self.norm = nn.LayerNorm(width, config.norm_eps, bias=config.norm_bias)

    def forward(self, x_TD: Tensor, position_T: Tensor, types_T: Tensor | None) -> Tensor:
        """Return the residual stream, (T, D), for token vectors."""
        if self.types is not None:
            x_TD = x_TD + (self.types.weight[0] if types_T is None else self.types(types_T))
        if self.positions is not None:
            x_TD = x_TD + self.positions(position_T)
        return self.norm(x_TD)


class EncoderAttention(nn.Module):
    """Multi-head attention in both directions."""

    layout: Tensor | None
    """Stored block layout, uint8 (heads, blocks, blocks); the config determines which layers use it."""

    def __init__(self, config: EncoderConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.rotary_dims, self.width = config.num_heads, config.rotated_dim, config.head_dim
        size = config.hidden_size
        self.query, self.key, self.value, self.output = (nn.Linear(size, size, bias=config.bias) for _ in range(4))
        self.register_buffer("layout", initial_layout(config, layer))

    def forward(self, x_TD: Tensor, angles: Angles | None, packing: Packing, rows: RowAttention) -> Tensor:
        """Return the output, (T, D)."""
        q, k, v = (self._heads(linear(x_TD)) for linear in (self.query, self.key, self.value))
        if angles is not None:
            q, k = self._turn(q, angles), self._turn(k, angles)
        mixed_HTD = attend(q, k, v, packing, rows)
        return self.output(mixed_HTD.transpose(0, 1).flatten(1))

    def _heads(self, x_TD: Tensor) -> Tensor:
        return x_TD.unflatten(-1, (self.heads, -1)).transpose(0, 1)

    def _turn(self, x_HTD: Tensor, angles: Angles) -> Tensor:
        if self.rotary_dims == self.width:
            return rotate(x_HTD, *angles)
        return torch.cat((rotate(x_HTD[..., : self.rotary_dims], *angles), x_HTD[..., self.rotary_dims :]), -1)


class FeedForward(nn.Module):
    """Two linear layers with an activation between them, optionally gated (GeGLU, Shazeer 2020)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.ffn_size
        self.gate = nn.Linear(size, inner, bias=config.bias) if config.gated else None
        self.up = nn.Linear(size, inner, bias=config.bias)
        self.down = nn.Linear(inner, size, bias=config.bias)
        self.activation = _ACTIVATIONS[config.activation]

    def forward(self, x_TD: Tensor) -> Tensor:
        """Return the output, (T, D)."""
        if self.gate is None:
            return self.down(self.activation(self.up(x_TD)))
        return self.down(self.activation(self.gate(x_TD)) * self.up(x_TD))


class EncoderLayer(nn.Module):
    """Attention and a feed-forward block, each with a norm before it or after its residual sum."""

    def __init__(self, config: EncoderConfig, layer: int) -> None:
        super().__init__()
        self.before = config.norm == "pre"
        norm = (config.hidden_size, config.norm_eps)
        without = self.before and layer == 0 and not config.first_norm
        self.attention_norm: nn.Module = nn.Identity() if without else nn.LayerNorm(*norm, bias=config.norm_bias)
        self.attention = EncoderAttention(config, layer)
        self.ffn_norm = nn.LayerNorm(*norm, bias=config.norm_bias)
        self.ffn = FeedForward(config)

    def forward(self, x_TD: Tensor, angles: Angles | None, packing: Packing, rows: RowAttention) -> Tensor:
        """Return the residual stream after this layer, (T, D)."""
        if self.before:
            x_TD = x_TD + self.attention(self.attention_norm(x_TD), angles, packing, rows)
            return x_TD + self.ffn(self.ffn_norm(x_TD))
        x_TD = self.attention_norm(x_TD + self.attention(x_TD, angles, packing, rows))
        return self.ffn_norm(x_TD + self.ffn(x_TD))


class MaskedHead(nn.Module):
    """Masked-language head; its decoder is the tensor of the embedding."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, bias=config.bias)
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_eps, bias=config.norm_bias)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.activation = _ACTIVATIONS[config.head_activation]
        self.tokens = config.tokens

    def forward(self, x_ND: Tensor, embedding_VD: Tensor) -> Tensor:
        """Return logits, fp32, (…, V); minus infinity for rows of the embedding that are not tokens."""
        x_ND = self.norm(self.activation(self.dense(x_ND)))
        logits = F.linear(x_ND, embedding_VD, self.bias).float()
        if self.tokens < logits.shape[-1]:
            logits[..., self.tokens :] = float("-inf")
        return logits


class Encoder(nn.Module):
    """Bidirectional encoder with the heads of its config.

    Args:
        config: config of the encoder.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.embedding = Embedding(config)
        self.layers = nn.ModuleList(EncoderLayer(config, layer) for layer in range(config.num_layers))
        self.norm = nn.LayerNorm(size, config.norm_eps, bias=config.norm_bias) if config.final_norm else None
        self.head = MaskedHead(config) if config.masked_head else None
        self.pooler = nn.Linear(size, size) if config.pooler != "none" else None
        self.sentence = nn.Linear(size, 2) if config.sentence_head else None
        self.classifier = nn.Linear(size, config.labels) if config.labels else None

    def tie(self) -> None:
        """Do nothing: the masked-language head reads the tensor of the embedding in every pass."""

    def forward(
        self,
        ids_BL: Tensor,
        *,
        mask_BL: Tensor | None = None,
        types_BL: Tensor | None = None,
        vectors_BLD: Tensor | None = None,
        replaced_BL: Tensor | None = None,
        layers: Collection[int] = (),
        logits: bool | Tensor = True,
        padded_to: int | None = None,
    ) -> EncoderOutput:
        """Run tokens through the network.

        Args:
            ids_BL: token ids, including special tokens.
            mask_BL: True for real tokens; None if all are. Positions count the real tokens of a row, so padding may
                be on either side.
            types_BL: token types; None for type 0.
            vectors_BLD: token vectors to use instead of those of the ids (before types, positions and norm).
            replaced_BL: True where ``vectors_BLD`` is used; None: everywhere.
            layers: hidden states to return.
            logits: whether to compute the masked-language head, or the positions where to, as a boolean (B, L).
            padded_to: stock BigBird only: attend as the published code does in a batch padded to this many tokens, with
                padding in the last block; by default each row is independent.

        Raises:
            ModelError: the batch has no rows, a row has no tokens to pool, a layer does not exist, a row exceeds the
                positions, or ``padded_to`` is not applicable to the attention or smaller than the
                longest row.
        """
        if ids_BL.shape[0] == 0:
            raise ModelError("a batch must have at least one row")
        self._check(layers)
        packing = Packing.of((ids_BL.shape[0], ids_BL.shape[1]), mask_BL, ids_BL.device)
        self._check_lengths(packing, padded_to)
        x_TD = self._vectors(packing, ids_BL, vectors_BLD, replaced_BL)
        types_T = None if types_BL is None else packing.pack(types_BL)
        x_TD = self.embedding(x_TD, packing.position_T, types_T)
        angles = self._angles(packing.position_T)
        hidden = {}
        for index, (layer, rows) in enumerate(zip(self.layers, self._attentions(padded_to), strict=True)):
            if index in layers:
                hidden[index] = packing.unpack(x_TD)
            x_TD = layer(x_TD, angles[self.config.is_local(index)], packing, rows)
        if self.norm is not None:
            x_TD = self.norm(x_TD)
        if self.config.num_layers in layers:
            hidden[self.config.num_layers] = packing.unpack(x_TD)
        return self._heads(x_TD, packing, logits)._replace(hidden=hidden)

    @property
    def root(self) -> Encoder:
        """The network itself, which holds all weights."""
        return self

    def read(
        self, ids_BL: Tensor, mask_BL: Tensor, layer: int | None, heads: Collection[str]
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return the hidden states of a layer, (B, L, D), zero at padding, and the outputs of heads by name.

        Args:
            ids_BL: token ids, including special tokens.
            mask_BL: True for real tokens.
            layer: layer as in :meth:`forward`; None for no hidden states.
            heads: names of built-in heads.
        """
        layers = () if layer is None else (layer,)
        output = self(ids_BL, mask_BL=mask_BL, layers=layers, logits="masked" in heads)
        outputs = {
            "masked": output.logits,
            "pooler": output.pooled_BD,
            "sentence": output.sentence_B2,
            "labels": output.labels,
        }
        wanted = {name: values for name, values in outputs.items() if name in heads and values is not None}
        return None if layer is None else output.hidden[layer], wanted

    def _vectors(
        self, packing: Packing, ids_BL: Tensor, vectors_BLD: Tensor | None, replaced_BL: Tensor | None
    ) -> Tensor:
        """Return the token vectors of the real tokens, (T, D)."""
        if vectors_BLD is not None or replaced_BL is not None:
            return packing.pack(token_vectors(self.embedding.tokens, ids_BL, vectors_BLD, replaced_BL))
        return self.embedding.tokens(packing.pack(ids_BL))

    def logits(self, x_ND: Tensor) -> Tensor:
        """Return the masked-language logits, fp32 (…, V), for hidden states of the last layer, (…, D).

        Raises:
            ModelError: the model has no such head, as some fine-tuned models.
        """
        if self.head is None:
            raise ModelError("this model has no masked-language head, so it has no token logits")
        return self.head(x_ND, self.embedding.tokens.weight)

    def _heads(self, x_TD: Tensor, packing: Packing, logits: bool | Tensor) -> EncoderOutput:
        head_logits = None
        if isinstance(logits, Tensor):
            head_logits = self.logits(x_TD[packing.pack(logits)])
        elif logits:
            head_logits = packing.unpack(self.logits(x_TD))
        if self.pooler is None:
            return EncoderOutput(head_logits, {}, labels=self._labels(x_TD, packing, None))
        pooled = self.pooler(x_TD[packing.first(x_TD.device)]).tanh()
        sentence = None if self.sentence is None else self.sentence(pooled).float()
        return EncoderOutput(head_logits, {}, pooled, sentence, self._labels(x_TD, packing, pooled))

    def _labels(self, x_TD: Tensor, packing: Packing, pooled_BD: Tensor | None) -> Tensor | None:
        if self.classifier is None:
            return None
        if self.config.labels_of == "token":
            return packing.unpack(self.classifier(x_TD).float())
        return self.classifier(pooled_BD).float()

    def _attentions(self, padded_to: int | None) -> list[RowAttention]:
        """Return the attention function of each layer."""
        config = self.config
        if config.sparse is not None:
            stored = [module.layout for module in self.modules() if isinstance(module, EncoderAttention)]
            return block_attentions(config, config.sparse, stored, padded_to)
        local = local_attention(config.local_window)
        return [local if config.is_local(layer) else full_attention for layer in range(config.num_layers)]

    def _angles(self, position_T: Tensor) -> tuple[Angles | None, Angles | None]:
        """Return the rotary angles of layers with full attention, and of those with a local window."""
        config = self.config
        if config.positions != "rotary":
            return None, None
        full = _angles(position_T, config.rotated_dim, config.rope_theta)
        if not config.global_every or config.local_rope_theta == config.rope_theta:
            return full, full
        return full, _angles(position_T, config.rotated_dim, config.local_rope_theta)

    def _check(self, layers: Collection[int]) -> None:
        if wrong := [layer for layer in layers if not 0 <= layer <= self.config.num_layers]:
            raise ModelError(f"layer {wrong[0]} does not exist: layers are 0 (embedding) to {self.config.num_layers}")

    def _check_lengths(self, packing: Packing, padded_to: int | None) -> None:
        longest = max(packing.lengths, default=0)
        if longest > self.config.max_positions:
            raise ModelError(
                f"a row of {longest:,} tokens exceeds the {self.config.max_positions:,} positions",
                code="context-exceeded",
            )
        if padded_to is None:
            return
        if self.config.sparse is None or self.config.sparse.kind != "bigbird":
            raise ModelError("padded_to is applicable to stock BigBird only")
        if padded_to < longest:
            raise ModelError(f"padded_to ({padded_to:,}) must not be smaller than the longest row ({longest:,} tokens)")


def _angles(position_T: Tensor, dim: int, theta: float) -> Angles:
    cos, sin = rotary_angles(position_T[None], dim, theta)
    return cos[0, 0], sin[0, 0]
