"""Stepping of decoders one token at a time, for dense ones faster than a pass with a cache.

Keys, values and angles are allocated for some tokens ahead; padding and unwritten positions are masked. The projections
of one input are one product. A small bf16 decoder computes in fp32 on a CPU, where calling a bf16 kernel takes
longer than such a product.

Shapes: B sequences, C token positions, D residual width, H query heads, K key-value heads, G = H / K, N = B K,
E head width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.networks.attention.attention import choose_attention, rotary_angles
from genolm.models.networks.attention.step_attention import step_attention
from genolm.models.networks.cache import KVCache
from genolm.models.networks.decoder import Decoder, DecoderLayer
from genolm.models.networks.experts import SwiGLU
from genolm.models.networks.packed_linear import joined_linear
from genolm.models.networks.packing import Packing
from genolm.models.norm import step_norm

Turn = tuple[Tensor, Tensor]

Head = Callable[[Tensor], Tensor]
"""Map from hidden states after the final norm, (B, D), to scores of the next token, (B, V), fp32."""

_FEWEST_POSITIONS = 32
_GROWTH = 8  # grow by an eighth at a time: copying stays cheap compared with attention
_FEW_WEIGHTS = 2_000_000
_FEWEST_STEPS = 16  # packing the weights costs about as much as a few steps


class Steps(Protocol):
    """Decoder that reads one token of every sequence at a time."""

    def next(self, ids_B: Tensor) -> Tensor:
        """Read a token of every sequence; return the logits of the next one, (B, V), fp32."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Keep only these sequences, by their current indices."""
        ...


def begin_steps(
    network: Decoder,
    ids_BL: Tensor,
    mask_BL: Tensor | None,
    steps: int,
    *,
    chunk: int | None = None,
    pack: bool = True,
) -> tuple[Tensor, Steps]:
    """Read prompts; return the logits of the next tokens, (B, V), fp32, and an object to continue with.

    Args:
        network: decoder.
        ids_BL: ids of the prompts, padded on the left.
        mask_BL: True for real tokens, at least one in each row; None if all are.
        steps: approximate number of steps.
        chunk: largest number of tokens in a pass; None for all at once.
        pack: whether the weights may be copied for speed.
    """
    position_BL = _positions(ids_BL, mask_BL)
    at_once = chunk is None or ids_BL.shape[1] <= chunk
    if not is_plain(network):
        return begin_network_steps(network, ids_BL, mask_BL, lambda x_BD: network.head(x_BD).float(), chunk=chunk)
    dense = DenseSteps(network, len(ids_BL), pack=pack and steps >= _FEWEST_STEPS)
    if at_once:
        return dense.read(ids_BL, mask_BL, position_BL), dense
    cache, x_BD = _cached(network, ids_BL, mask_BL, position_BL, chunk)
    dense.continue_from(cache, position_BL[:, -1])
    return network.head(x_BD).float(), dense


def begin_network_steps(
    network: Decoder, ids_BL: Tensor, mask_BL: Tensor | None, head: Head, *, chunk: int | None = None
) -> tuple[Tensor, Steps]:
    """Read prompts as :func:`begin_steps` does, by the network's own pass; scores are those of ``head``."""
    position_BL = _positions(ids_BL, mask_BL)
    cache, x_BD = _cached(network, ids_BL, mask_BL, position_BL, chunk)
    return head(x_BD), NetworkSteps(network, cache, position_BL[:, -1], head)


def _positions(ids_BL: Tensor, mask_BL: Tensor | None) -> Tensor:
    """Return the rotary position of each token; padding counts as position 0."""
    if mask_BL is None:
        return torch.arange(ids_BL.shape[1], device=ids_BL.device).expand_as(ids_BL)
    return (mask_BL.cumsum(1) - 1).clamp_min(0)


def _cached(
    network: Decoder, ids_BL: Tensor, mask_BL: Tensor | None, position_BL: Tensor, chunk: int | None
) -> tuple[KVCache, Tensor]:
    """Return the network's cache after the prompts, and the hidden states (B, D) of their last tokens."""
    cache, last, length = network.new_cache(), network.config.num_layers, ids_BL.shape[1]
    width = chunk or length
    for start in range(0, length, width):
        part = slice(start, start + width)
        mask = None if mask_BL is None else mask_BL[:, part]
        output = network(
            ids_BL[:, part], mask_BL=mask, positions_BL=position_BL[:, part], cache=cache, layers={last}, logits=False
        )
    return cache, output.hidden[last][:, -1]


def is_plain(network: Decoder) -> bool:
    """Return whether a decoder has neither experts nor k-mer memories, so that :class:`DenseSteps` can step it."""
    layers = (layer for layer in network.layers if isinstance(layer, DecoderLayer))
    return network.kmer is None and all(layer.gengram is None and isinstance(layer.ffn, SwiGLU) for layer in layers)


def step_dtype(network: Decoder) -> torch.dtype:
    """Return the precision of steps: that of the weights, but fp32 for a small bf16 decoder on a CPU."""
    weight = network.head.weight
    slow = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"
    return torch.float32 if slow and network.config.parameters < _FEW_WEIGHTS else weight.dtype


def step_weights(layer: DecoderLayer) -> tuple[tuple[Tensor, ...], ...]:
    """Return the matrices of a layer's products, those with the same input together."""
    attention, ffn = layer.attention, layer.ffn
    assert isinstance(ffn, SwiGLU)
    maps = ((attention.query, attention.key, attention.value), (attention.output,), (ffn.gate, ffn.up), (ffn.down,))
    return tuple(tuple(one.weight for one in group) for group in maps)


class NetworkSteps:
    """Steps of any decoder, by its own forward pass.

    Args:
        network: decoder.
        cache: cache after the prompts.
        position_B: rotary position of the last token of each sequence.
        head: map from hidden states to scores.
    """

    def __init__(self, network: Decoder, cache: KVCache, position_B: Tensor, head: Head) -> None:
        self.network, self.cache, self.position_B, self.head = network, cache, position_B, head

    def next(self, ids_B: Tensor) -> Tensor:
        """Return the scores after one more token of every sequence."""
        self.position_B, last = self.position_B + 1, self.network.config.num_layers
        output = self.network(
            ids_B[:, None], positions_BL=self.position_B[:, None], cache=self.cache, layers={last}, logits=False
        )
        return self.head(output.hidden[last][:, -1])

    def keep(self, rows: Tensor) -> None:
        """Keep only these sequences."""
        self.cache.keep(rows)
        self.position_B = self.position_B[rows]


class DenseSteps:
    """Steps of a decoder without experts and k-mer memories.

    Args:
        network: decoder.
        rows: number of sequences.
        pack: whether to copy the weights into a faster layout, if the processor has one.
    """

    position_B: Tensor
    hidden_N1C: Tensor
    turns: Turn

    def __init__(self, network: Decoder, rows: int, *, pack: bool) -> None:
        self.config, self.length = network.config, 0
        self.dtype = step_dtype(network)
        layers = [layer for layer in network.layers if isinstance(layer, DecoderLayer)]
        self.layers = [_DenseLayer(layer, rows, pack, self.dtype) for layer in layers]
        self.embedding_VD = network.embedding.weight.detach().to(self.dtype)
        self.norm = step_norm(network.norm, self.dtype)
        self.head = joined_linear([network.head.weight.to(self.dtype)], rows, pack=pack)

    def read(self, ids_BL: Tensor, mask_BL: Tensor | None, position_BL: Tensor) -> Tensor:
        """Read the prompts in one pass; return the logits of the next tokens, (B, V).

        Only real tokens are projected; after the keys and values of the last layer, only the last tokens.
        """
        packing = Packing.of((ids_BL.shape[0], ids_BL.shape[1]), mask_BL, ids_BL.device)
        x_TD = F.embedding(packing.pack(ids_BL), self.embedding_VD)
        turn = self._turn(position_BL)
        for layer in self.layers[:-1]:
            x_TD = layer.read(x_TD, turn, packing, mask_BL)
        x_BD = self.layers[-1].read(x_TD, turn, packing, mask_BL, last=True)
        self._begin(mask_BL, position_BL[:, -1], ids_BL.shape[1])
        return self.head(self.norm(x_BD)).float()

    def continue_from(self, cache: KVCache, position_B: Tensor) -> None:
        """Continue after the content of a cache, which is emptied."""
        for index, layer in enumerate(self.layers):
            k_BKSE, v_BKSE = cache.pop(index)
            layer.memory.remember(k_BKSE.flatten(0, 1).to(self.dtype), v_BKSE.flatten(0, 1).to(self.dtype))
        self._begin(cache.mask_BS, position_B, cache.length)

    def next(self, ids_B: Tensor) -> Tensor:
        """Return the logits after one more token of every sequence."""
        if self.length == self.hidden_N1C.shape[2]:
            self._grow()
        position, block = self.length, self.length - self.hidden_N1C.shape[2]
        self.length += 1
        self.hidden_N1C[..., position] = 0
        turn = self.turns[0][block], self.turns[1][block]
        x_BD = F.embedding(ids_B, self.embedding_VD)
        for layer in self.layers:
            x_BD = layer.next(x_BD, turn, self.hidden_N1C, position)
        return self.head(self.norm(x_BD)).float()

    def keep(self, rows: Tensor) -> None:
        """Keep only these sequences."""
        kv_heads = self.config.num_kv_heads
        heads = (rows[:, None] * kv_heads + torch.arange(kv_heads, device=rows.device)).flatten()
        self.position_B, self.hidden_N1C = self.position_B[rows], self.hidden_N1C[heads]
        self.turns = self.turns[0][:, rows], self.turns[1][:, rows]
        for layer in self.layers:
            layer.memory.keep(heads)

    def _begin(self, mask_BS: Tensor | None, position_B: Tensor, length: int) -> None:
        """Mask the padding of the prompts and record the position of each sequence."""
        self.position_B, self.length = position_B, length
        rows, kv_heads = len(position_B), self.config.num_kv_heads
        self.hidden_N1C = torch.zeros(rows * kv_heads, 1, length, dtype=self.dtype, device=position_B.device)
        if mask_BS is not None:
            self.hidden_N1C.masked_fill_(~mask_BS.repeat_interleave(kv_heads, 0)[:, None], float("-inf"))
        self._grow()

    def _grow(self) -> None:
        """Allocate further token positions."""
        positions = max(_FEWEST_POSITIONS, self.length // _GROWTH)
        self.hidden_N1C = F.pad(self.hidden_N1C, (0, positions), value=float("-inf"))
        for layer in self.layers:
            layer.memory.grow(positions)
        position_BL = self.position_B[:, None] + torch.arange(1, positions + 1, device=self.position_B.device)
        self.position_B = position_BL[:, -1]
        cos, sin = self._turn(position_BL)
        self.turns = cos.permute(2, 0, 1, 3), sin.permute(2, 0, 1, 3)

    def _turn(self, position_BL: Tensor) -> Turn:
        """Return cosines, and sines with their signs, as wide as a head: (B, 1, L, E) each."""
        cos, sin = rotary_angles(position_BL, self.config.head_dim, self.config.rope_theta)
        return torch.cat((cos, cos), -1).to(self.dtype), torch.cat((-sin, sin), -1).to(self.dtype)


class _DenseLayer:
    """Weights, keys and values of one layer."""

    def __init__(self, layer: DecoderLayer, rows: int, pack: bool, dtype: torch.dtype) -> None:
        attention = layer.attention
        self.norms = step_norm(layer.attention_norm, dtype), step_norm(layer.ffn_norm, dtype)
        joined = [joined_linear([one.to(dtype) for one in group], rows, pack=pack) for group in step_weights(layer)]
        self.qkv, self.output, self.gate_up, self.down = joined
        self.head_dim = attention.head_dim
        self.kv_heads = attention.key.weight.shape[0] // self.head_dim
        self.memory = step_attention(dtype, attention.key.weight.device)

    def read(self, x_TD: Tensor, turn: Turn, packing: Packing, mask_BL: Tensor | None, last: bool = False) -> Tensor:
        """Return the residual stream of the prompts after this layer; with ``last``, of their last tokens only.

        Padding is on the left, so that all prompts end at the same position.
        """
        heads_TE = self.qkv(self.norms[0](x_TD)).unflatten(-1, (-1, self.head_dim))
        q, k, v = (values.contiguous() for values in self._turned(packing.unpack(heads_TE).transpose(1, 2), turn))
        self.memory.remember(k.flatten(0, 1), v.flatten(0, 1))
        if last:
            x_TD, q = x_TD[packing.last(x_TD.device)], q[:, :, -1:]
        allowed_BLS = None if mask_BL is None else mask_BL[:, None].expand(-1, q.shape[2], -1)
        attention = choose_attention(q, k, allowed_BLS is not None)
        mixed_BLD = attention(q, k, v, allowed_BLS).transpose(1, 2).flatten(2)
        return self._fed(x_TD + self.output(mixed_BLD[:, 0] if last else packing.pack(mixed_BLD)))

    def next(self, x_BD: Tensor, turn: Turn, hidden_N1C: Tensor, position: int) -> Tensor:
        """Return the residual stream of one more token after this layer."""
        rows, width = len(x_BD), self.head_dim
        q, k, v = self._turned(self.qkv(self.norms[0](x_BD)).view(rows, -1, width), turn)
        q_NGE = q.reshape(len(hidden_N1C), -1, width)
        mixed_NGE = self.memory.attend(q_NGE, k.reshape(-1, width), v.reshape(-1, width), hidden_N1C, position)
        return self._fed(x_BD + self.output(mixed_NGE.reshape(rows, -1)))

    def _turned(self, heads: Tensor, turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries and keys, rotated by their position, and values; heads are the second dimension."""
        cos, sin = turn
        value = heads.shape[1] - self.kv_heads
        mapped = heads[:, :value]
        rotated = torch.addcmul(mapped * cos, mapped.roll(self.head_dim // 2, -1), sin)
        key = value - self.kv_heads
        return rotated[:, :key], rotated[:, key:], heads[:, value:]

    def _fed(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(self.norms[1](x)).chunk(2, -1)
        return x + self.down(F.silu(gate).mul_(up))
