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

from genolm.models.attention import choose_attention
from genolm.models.cache import KVCache
from genolm.models.decoder import Decoder, DecoderLayer
from genolm.models.experts import SwiGLU
from genolm.models.packed import joined_linear
from genolm.models.rotary import rotary_angles, rotate

Angles = tuple[Tensor, Tensor]

_FEWEST_STEPS = 16  # packing the weights costs about as much as a few steps


class Steps(Protocol):
    """Reads one token of every sequence after another."""

    def next(self, ids_B: Tensor) -> Tensor:
        """Reads a token of every sequence; logits (B, V), fp32, of the one after it."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only, by their numbers now."""
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
    """Reads prompts; logits (B, V), fp32, of what comes after each, and how to go on.

    Args:
        network: the decoder.
        ids_BL: ids of the prompts, pads on the left.
        mask_BL: True at real tokens, at least one in each row; None where all are.
        steps: how many will come, about.
        chunk: most tokens of a pass; None for all at once.
        pack: whether a copy of the weights may be made for speed.
    """
    places_BL = torch.arange(ids_BL.shape[1], device=ids_BL.device).expand_as(ids_BL)
    if mask_BL is not None:
        places_BL = (mask_BL.cumsum(1) - 1).clamp_min(0)
    whole = chunk is None or ids_BL.shape[1] <= chunk
    plain = network.kmer is None and all(_is_plain(layer) for layer in network.layers)
    if plain and whole:
        dense = DenseSteps(network, len(ids_BL), pack=pack and steps >= _FEWEST_STEPS)
        return dense.read(ids_BL, mask_BL, places_BL, steps), dense
    cache, logits_BV = _cached(network, ids_BL, mask_BL, places_BL, chunk or ids_BL.shape[1])
    if plain:
        dense = DenseSteps(network, len(ids_BL), pack=pack and steps >= _FEWEST_STEPS)
        dense.take(cache, places_BL[:, -1], steps)
        return logits_BV, dense
    return logits_BV, NetworkSteps(network, cache, places_BL[:, -1])


def _cached(
    network: Decoder, ids_BL: Tensor, mask_BL: Tensor | None, places_BL: Tensor, chunk: int
) -> tuple[KVCache, Tensor]:
    """The network's own cache after the prompts, and the logits of what comes after them."""
    cache, last = network.new_cache(), network.config.num_layers
    x_BD = None
    for start in range(0, ids_BL.shape[1], chunk):
        own = slice(start, start + chunk)
        mask = None if mask_BL is None else mask_BL[:, own]
        output = network(
            ids_BL[:, own], mask_BL=mask, positions_BL=places_BL[:, own], cache=cache, layers={last}, logits=False
        )
        x_BD = output.hidden[last][:, -1]
    return cache, network.head(x_BD).float()


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
        rows: how many sequences there will be.
        pack: lay the weights out anew where the processor gains by it; costs a copy of them.
    """

    def __init__(self, network: Decoder, rows: int, *, pack: bool) -> None:
        self.network, self.length = network, 0
        self.places_B = torch.zeros(rows, dtype=torch.int64, device=network.head.weight.device)
        self.layers = [_DenseLayer(layer, rows, pack) for layer in network.layers if isinstance(layer, DecoderLayer)]
        self.head = joined_linear([network.head.weight], rows, pack=pack)
        self.hidden_BC: Tensor | None = None

    def read(self, ids_BL: Tensor, mask_BL: Tensor | None, places_BL: Tensor, steps: int) -> Tensor:
        """Reads the prompts in one pass and makes room for ``steps`` more; logits (B, V) of what comes after them."""
        x_BLD = self.network.embedding(ids_BL)
        angles = self._angles(places_BL, x_BLD.dtype)
        allowed_BLS = None if mask_BL is None else mask_BL[:, None].expand(-1, ids_BL.shape[1], -1)
        room = ids_BL.shape[1] + steps
        for layer in self.layers:
            x_BLD = layer.read(x_BLD, angles, allowed_BLS, room)
        self._note(mask_BL, places_BL[:, -1], ids_BL.shape[1], room)
        return self.head(self.network.norm(x_BLD[:, -1:])).float()[:, 0]

    def take(self, cache: KVCache, places_B: Tensor, steps: int) -> None:
        """Goes on after what is in a cache, which is emptied; room is made for ``steps`` more."""
        room = cache.length + steps
        for index, layer in enumerate(self.layers):
            layer.remember(*cache.take(index), room)
        self._note(cache.mask_BS, places_B, cache.length, room)

    def next(self, ids_B: Tensor) -> Tensor:
        """Logits after one more token of every sequence."""
        start = self.length
        self.places_B = self.places_B + 1
        self.length = start + 1
        x_B1D = self.network.embedding(ids_B[:, None])
        angles = self._angles(self.places_B[:, None], x_B1D.dtype)
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

    def _angles(self, places_BL: Tensor, dtype: torch.dtype) -> Angles:
        cos, sin = rotary_angles(places_BL, self.network.config.head_dim, self.network.config.rope_theta)
        return cos.to(dtype), sin.to(dtype)

    def _note(self, mask_BS: Tensor | None, places_B: Tensor, length: int, room: int) -> None:
        self.places_B, self.length = places_B, length
        if mask_BS is not None:
            self.hidden_BC = _hidden(mask_BS, room, self.network.head.weight.dtype)

    def _hidden_so_far(self) -> Tensor:
        assert self.hidden_BC is not None
        if self.length > self.hidden_BC.shape[1]:
            self.hidden_BC = F.pad(self.hidden_BC, (0, self.hidden_BC.shape[1]))
        return self.hidden_BC[:, : self.length]


class _DenseLayer:
    """One layer's weights and what it remembers: keys (B K, E, C) and values (B K, C, E)."""

    def __init__(self, layer: DecoderLayer, rows: int, pack: bool) -> None:
        attention, ffn = layer.attention, layer.ffn
        assert isinstance(ffn, SwiGLU)
        self.norms = (layer.attention_norm, layer.ffn_norm)
        maps = ((attention.query, attention.key, attention.value), (attention.output,), (ffn.gate, ffn.up), (ffn.down,))
        joined = [joined_linear([linear.weight for linear in group], rows, pack=pack) for group in maps]
        self.qkv, self.output, self.gate_up, self.down = joined
        self.head_dim = attention.head_dim
        self.kv_heads = attention.key.weight.shape[0] // self.head_dim

    def read(self, x_BLD: Tensor, angles: Angles, allowed_BLS: Tensor | None, room: int) -> Tensor:
        """The residual stream of whole prompts after this layer."""
        q, k, v = self._heads(x_BLD, angles)
        v = v.contiguous()
        self.remember(k, v, room)
        attention = choose_attention(q, k, allowed_BLS is not None)
        mixed_BHLE = attention(q.contiguous(), k, v, allowed_BLS)
        return self._fed(x_BLD + self.output(mixed_BHLE.transpose(1, 2).flatten(2)))

    def remember(self, k_BKSE: Tensor, v_BKSE: Tensor, room: int) -> None:
        """Stores the first keys and values, with room for so many tokens."""
        batch, kv_heads, length, width = k_BKSE.shape
        self.keys = k_BKSE.new_empty(batch * kv_heads, width, room)
        self.values = v_BKSE.new_empty(batch * kv_heads, room, width)
        self.keys.view(batch, kv_heads, width, room)[..., :length].copy_(k_BKSE.transpose(2, 3))
        self.values.view(batch, kv_heads, room, width)[:, :, :length].copy_(v_BKSE)

    def next(self, x_B1D: Tensor, angles: Angles, hidden_BS: Tensor | None, start: int) -> Tensor:
        """The residual stream of one more token after this layer."""
        q, k, v = self._heads(x_B1D, angles)
        self._append(k, v, start)
        q = (q * self.head_dim**-0.5).reshape(len(self.keys), -1, self.head_dim)
        scores = torch.bmm(q, self.keys[:, :, : start + 1])
        if hidden_BS is not None:
            scores.view(len(x_B1D), -1, start + 1).add_(hidden_BS[:, None])
        mixed = torch.bmm(scores.softmax(-1), self.values[:, : start + 1])
        return self._fed(x_B1D + self.output(mixed.view(len(x_B1D), 1, -1)))

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only."""
        kept = (rows[:, None] * self.kv_heads + torch.arange(self.kv_heads, device=rows.device)).flatten()
        self.keys, self.values = self.keys[kept], self.values[kept]

    def _heads(self, x_BLD: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, turned, and values."""
        heads = self.qkv(self.norms[0](x_BLD)).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        turned = rotate(heads[:, : -self.kv_heads], *angles)
        return turned[:, : -self.kv_heads], turned[:, -self.kv_heads :], heads[:, -self.kv_heads :]

    def _fed(self, x_BLD: Tensor) -> Tensor:
        gate, up = self.gate_up(self.norms[1](x_BLD)).chunk(2, -1)
        return x_BLD + self.down(F.silu(gate).mul_(up))

    def _append(self, k_BK1E: Tensor, v_BK1E: Tensor, start: int) -> None:
        if start == self.keys.shape[2]:
            self.keys = F.pad(self.keys, (0, start))
            self.values = F.pad(self.values, (0, 0, 0, start))
        self.keys[:, :, start] = k_BK1E.reshape(-1, self.head_dim)
        self.values[:, start] = v_BK1E.reshape(-1, self.head_dim)


def _hidden(mask_BS: Tensor, room: int, dtype: torch.dtype) -> Tensor:
    """Added to scores, (B, C): minus infinity at padding, 0 elsewhere and for tokens to come."""
    hidden = torch.zeros(mask_BS.shape, dtype=dtype, device=mask_BS.device).masked_fill_(~mask_BS, float("-inf"))
    return F.pad(hidden, (0, room - mask_BS.shape[1]))
