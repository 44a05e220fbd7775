"""A dense decoder one token at a time: what :class:`genolm.models.decoder.Decoder` computes with a cache, quicker.

Keys stand transposed, so that a step is two batched products; the mask of padding grows with them instead of being made
anew in every layer; the maps of one input are one product.

Shapes: B sequences, S tokens so far, C room for tokens, D residual width, H query heads, K key-value heads, G = H / K,
E head width, V vocabulary.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.cache import KVCache
from genolm.models.decoder import Decoder, DecoderLayer
from genolm.models.experts import SwiGLU
from genolm.models.packed import joined_linear
from genolm.models.rotary import rotary_angles, rotate

_FEWEST_STEPS = 16  # packing the weights costs about as much as a few steps


class Steps(Protocol):
    """Reads one token of every sequence after another."""

    def next(self, ids_B: Tensor) -> Tensor:
        """Reads a token of every sequence; logits (B, V), fp32, of the one after it."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only, by their numbers now."""
        ...


def steps_after(network: Decoder, cache: KVCache, places_B: Tensor, steps: int, *, pack: bool = True) -> Steps:
    """How to go on after the tokens in a cache; the cache belongs to the steps from then on.

    Args:
        network: the decoder.
        cache: what it has read, at least one token of every sequence; pads on the left.
        places_B: rotary position of each sequence's last token.
        steps: how many will come, about.
        pack: whether a copy of the weights may be made for speed.
    """
    plain = network.kmer is None and all(_is_plain(layer) for layer in network.layers)
    if plain and cache.documents_BS is None:
        return DenseSteps(network, cache, places_B, steps, pack=pack and steps >= _FEWEST_STEPS)
    return NetworkSteps(network, cache, places_B)


def _is_plain(layer: torch.nn.Module) -> bool:
    return isinstance(layer, DecoderLayer) and layer.gengram is None and isinstance(layer.ffn, SwiGLU)


class NetworkSteps:
    """Steps of any decoder, by its own pass.

    Args:
        network: the decoder.
        cache: what it has read.
        places_B: rotary position of each sequence's last token.
    """

    def __init__(self, network: Decoder, cache: KVCache, places_B: Tensor) -> None:
        self.network, self.cache, self.places_B = network, cache, places_B

    def next(self, ids_B: Tensor) -> Tensor:
        """Logits after one more token of every sequence."""
        self.places_B = self.places_B + 1
        output = self.network(ids_B[:, None], positions_BL=self.places_B[:, None], cache=self.cache)
        logits: Tensor = output.logits_BLV[:, -1]
        return logits

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only."""
        self.cache.keep(rows)
        self.places_B = self.places_B[rows]


class DenseSteps:
    """Steps of a decoder without experts and k-mer memories.

    Args:
        network: the decoder.
        cache: what it has read.
        places_B: rotary position of each sequence's last token.
        steps: how many will come, about: room is made for them.
        pack: lay the weights out anew where the processor gains by it; costs a copy of them.
    """

    def __init__(self, network: Decoder, cache: KVCache, places_B: Tensor, steps: int, *, pack: bool) -> None:
        self.network, self.places_B, self.length = network, places_B, cache.length
        rows, room = len(places_B), cache.length + steps
        self.layers = []
        for index, layer in enumerate(network.layers):
            assert isinstance(layer, DecoderLayer)
            self.layers.append(_DenseLayer(layer, *cache.take(index), room, rows, pack))
        self.head = joined_linear([network.head.weight], rows, pack=pack)
        self.hidden_BC = None if cache.mask_BS is None else _hidden(cache.mask_BS, room, network.head.weight.dtype)

    def next(self, ids_B: Tensor) -> Tensor:
        """Logits after one more token of every sequence."""
        config, start = self.network.config, self.length
        self.places_B = self.places_B + 1
        self.length = start + 1
        angles = rotary_angles(self.places_B[:, None], config.head_dim, config.rope_theta)
        x_B1D = self.network.embedding(ids_B[:, None])
        angles = (angles[0].to(x_B1D.dtype), angles[1].to(x_B1D.dtype))
        hidden_BS = None if self.hidden_BC is None else self._hidden_so_far()
        for layer in self.layers:
            x_B1D = layer.next(x_B1D, angles, hidden_BS, start)
        return self.head(self.network.norm(x_B1D)).float()[:, 0]

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only."""
        self.places_B = self.places_B[rows]
        if self.hidden_BC is not None:
            self.hidden_BC = self.hidden_BC[rows]
        for layer in self.layers:
            layer.keep(rows)

    def _hidden_so_far(self) -> Tensor:
        assert self.hidden_BC is not None
        if self.length > self.hidden_BC.shape[1]:
            self.hidden_BC = F.pad(self.hidden_BC, (0, self.hidden_BC.shape[1]))
        return self.hidden_BC[:, : self.length]


class _DenseLayer:
    """One layer's weights and what it remembers: keys (B K, E, C) and values (B K, C, E)."""

    def __init__(self, layer: DecoderLayer, k_BKSE: Tensor, v_BKSE: Tensor, room: int, rows: int, pack: bool) -> None:
        attention, ffn = layer.attention, layer.ffn
        assert isinstance(ffn, SwiGLU)
        self.norms = (layer.attention_norm, layer.ffn_norm)
        maps = ((attention.query, attention.key, attention.value), (attention.output,), (ffn.gate, ffn.up), (ffn.down,))
        joined = [joined_linear([linear.weight for linear in group], rows, pack=pack) for group in maps]
        self.qkv, self.output, self.gate_up, self.down = joined
        self.head_dim, self.kv_heads = attention.head_dim, k_BKSE.shape[1]
        batch, kv_heads, length, width = k_BKSE.shape
        self.keys = k_BKSE.new_empty(batch * kv_heads, width, room)
        self.values = v_BKSE.new_empty(batch * kv_heads, room, width)
        self.keys[:, :, :length].view(batch, kv_heads, width, length).copy_(k_BKSE.transpose(2, 3))
        self.values[:, :length].view(batch, kv_heads, length, width).copy_(v_BKSE)

    def next(self, x_B1D: Tensor, angles: tuple[Tensor, Tensor], hidden_BS: Tensor | None, start: int) -> Tensor:
        """The residual stream of one more token after this layer."""
        x_B1D = x_B1D + self._attended(self.norms[0](x_B1D), angles, hidden_BS, start)
        gate, up = self.gate_up(self.norms[1](x_B1D)).chunk(2, -1)
        return x_B1D + self.down(F.silu(gate).mul_(up))

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only."""
        kept = (rows[:, None] * self.kv_heads + torch.arange(self.kv_heads, device=rows.device)).flatten()
        self.keys, self.values = self.keys[kept], self.values[kept]

    def _attended(self, x_B1D: Tensor, angles: tuple[Tensor, Tensor], hidden_BS: Tensor | None, start: int) -> Tensor:
        heads = self.qkv(x_B1D).view(len(x_B1D), -1, 1, self.head_dim)
        turned = rotate(heads[:, : -self.kv_heads], *angles)
        q, k = turned[:, : -self.kv_heads], turned[:, -self.kv_heads :]
        self._remember(k, heads[:, -self.kv_heads :], start)
        q = (q * self.head_dim**-0.5).reshape(len(self.keys), -1, self.head_dim)
        scores = torch.bmm(q, self.keys[:, :, : start + 1])
        if hidden_BS is not None:
            scores.view(len(x_B1D), -1, start + 1).add_(hidden_BS[:, None])
        mixed = torch.bmm(scores.softmax(-1), self.values[:, : start + 1])
        return self.output(mixed.view(len(x_B1D), 1, -1))

    def _remember(self, k_BK1E: Tensor, v_BK1E: Tensor, start: int) -> None:
        if start == self.keys.shape[2]:
            self.keys = F.pad(self.keys, (0, start))
            self.values = F.pad(self.values, (0, 0, 0, start))
        self.keys[:, :, start] = k_BK1E.reshape(-1, self.head_dim)
        self.values[:, start] = v_BK1E.reshape(-1, self.head_dim)


def _hidden(mask_BS: Tensor, room: int, dtype: torch.dtype) -> Tensor:
    """Added to scores, (B, C): minus infinity at padding, 0 elsewhere and for tokens to come."""
    hidden = torch.zeros(mask_BS.shape, dtype=dtype, device=mask_BS.device).masked_fill_(~mask_BS, float("-inf"))
    return F.pad(hidden, (0, room - mask_BS.shape[1]))
