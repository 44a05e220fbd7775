"""A dense decoder one token at a time, faster than :class:`genolm.models.networks.decoder.Decoder` with a cache.

Keys, values and angles are laid out for some tokens to come, what is padding or not yet written being hidden. The maps
of one input are one product. A bf16 decoder of few weights computes in fp32 on a CPU, where calling a bf16 kernel takes
longer than such a product.

Shapes: B sequences, C places for tokens, D residual width, H query heads, K key-value heads, G = H / K, N = B K,
E head width, V vocabulary.
"""

from __future__ import annotations

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

_FEWEST_PLACES = 32
_GROWTH = 8  # an eighth more places at a time: copying stays cheap beside attending to all of them
_FEW_WEIGHTS = 2_000_000
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
        return dense.read(ids_BL, mask_BL, places_BL), dense
    cache, logits_BV = _cached(network, ids_BL, mask_BL, places_BL, chunk or ids_BL.shape[1])
    if plain:
        dense = DenseSteps(network, len(ids_BL), pack=pack and steps >= _FEWEST_STEPS)
        dense.take(cache, places_BL[:, -1])
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

    places_B: Tensor
    hidden_N1C: Tensor
    turns: Turn

    def __init__(self, network: Decoder, rows: int, *, pack: bool) -> None:
        self.config, self.length = network.config, 0
        weight = network.head.weight
        slow = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"
        self.dtype = torch.float32 if slow and network.config.parameters < _FEW_WEIGHTS else weight.dtype
        layers = [layer for layer in network.layers if isinstance(layer, DecoderLayer)]
        self.layers = [_DenseLayer(layer, rows, pack, self.dtype) for layer in layers]
        self.embedding_VD = network.embedding.weight.detach().to(self.dtype)
        self.norm = step_norm(network.norm, self.dtype)
        self.head = joined_linear([weight.to(self.dtype)], rows, pack=pack)

    def read(self, ids_BL: Tensor, mask_BL: Tensor | None, places_BL: Tensor) -> Tensor:
        """Reads the prompts in one pass; logits (B, V) of what comes after them.

        Maps are of real tokens alone; after the last layer's keys and values, of the last ones.
        """
        packing = Packing.of((ids_BL.shape[0], ids_BL.shape[1]), mask_BL, ids_BL.device)
        x_TD = F.embedding(packing.pack(ids_BL), self.embedding_VD)
        turn = self._turn(places_BL)
        for layer in self.layers[:-1]:
            x_TD = layer.read(x_TD, turn, packing, mask_BL)
        x_BD = self.layers[-1].read(x_TD, turn, packing, mask_BL, last=True)
        self._begin(mask_BL, places_BL[:, -1], ids_BL.shape[1])
        return self.head(self.norm(x_BD)).float()

    def take(self, cache: KVCache, places_B: Tensor) -> None:
        """Goes on after what is in a cache, which is emptied."""
        for index, layer in enumerate(self.layers):
            k_BKSE, v_BKSE = cache.take(index)
            layer.memory.remember(k_BKSE.flatten(0, 1).to(self.dtype), v_BKSE.flatten(0, 1).to(self.dtype))
        self._begin(cache.mask_BS, places_B, cache.length)

    def next(self, ids_B: Tensor) -> Tensor:
        """Logits after one more token of every sequence."""
        if self.length == self.hidden_N1C.shape[2]:
            self._grow()
        place, block = self.length, self.length - self.hidden_N1C.shape[2]
        self.length += 1
        self.hidden_N1C[..., place] = 0
        turn = self.turns[0][block], self.turns[1][block]
        x_BD = F.embedding(ids_B, self.embedding_VD)
        for layer in self.layers:
            x_BD = layer.next(x_BD, turn, self.hidden_N1C, place)
        return self.head(self.norm(x_BD)).float()

    def keep(self, rows: Tensor) -> None:
        """Goes on with these sequences only."""
        kv_heads = self.config.num_kv_heads
        heads = (rows[:, None] * kv_heads + torch.arange(kv_heads, device=rows.device)).flatten()
        self.places_B, self.hidden_N1C = self.places_B[rows], self.hidden_N1C[heads]
        self.turns = self.turns[0][:, rows], self.turns[1][:, rows]
        for layer in self.layers:
            layer.memory.keep(heads)

    def _begin(self, mask_BS: Tensor | None, places_B: Tensor, length: int) -> None:
        """Hides the padding of what was read and notes where each sequence stands."""
        self.places_B, self.length = places_B, length
        rows, kv_heads = len(places_B), self.config.num_kv_heads
        self.hidden_N1C = torch.zeros(rows * kv_heads, 1, length, dtype=self.dtype, device=places_B.device)
        if mask_BS is not None:
            self.hidden_N1C.masked_fill_(~mask_BS.repeat_interleave(kv_heads, 0)[:, None], float("-inf"))
        self._grow()

    def _grow(self) -> None:
        """Lays out places behind those that are full."""
        places = max(_FEWEST_PLACES, self.length // _GROWTH)
        self.hidden_N1C = F.pad(self.hidden_N1C, (0, places), value=float("-inf"))
        for layer in self.layers:
            layer.memory.grow(places)
        places_BL = self.places_B[:, None] + torch.arange(1, places + 1, device=self.places_B.device)
        self.places_B = places_BL[:, -1]
        cos, sin = self._turn(places_BL)
        self.turns = cos.permute(2, 0, 1, 3), sin.permute(2, 0, 1, 3)

    def _turn(self, places_BL: Tensor) -> Turn:
        """Cosines, and sines with their signs, as wide as a head: (B, 1, L, E) each."""
        cos, sin = rotary_angles(places_BL, self.config.head_dim, self.config.rope_theta)
        return torch.cat((cos, cos), -1).to(self.dtype), torch.cat((-sin, sin), -1).to(self.dtype)


class _DenseLayer:
    """One layer's weights and what it remembers."""

    def __init__(self, layer: DecoderLayer, rows: int, pack: bool, dtype: torch.dtype) -> None:
        attention, ffn = layer.attention, layer.ffn
        assert isinstance(ffn, SwiGLU)
        self.norms = step_norm(layer.attention_norm, dtype), step_norm(layer.ffn_norm, dtype)
        maps = ((attention.query, attention.key, attention.value), (attention.output,), (ffn.gate, ffn.up), (ffn.down,))
        joined = [joined_linear([linear.weight.to(dtype) for linear in group], rows, pack=pack) for group in maps]
        self.qkv, self.output, self.gate_up, self.down = joined
        self.head_dim = attention.head_dim
        self.kv_heads = attention.key.weight.shape[0] // self.head_dim
        self.memory = step_attention(dtype, attention.key.weight.device)

    def read(self, x_TD: Tensor, turn: Turn, packing: Packing, mask_BL: Tensor | None, last: bool = False) -> Tensor:
        """The residual stream of whole prompts after this layer; of their last tokens alone where these are asked for.

        Pads stand on the left, so that every prompt ends at one place.
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

    def next(self, x_BD: Tensor, turn: Turn, hidden_N1C: Tensor, place: int) -> Tensor:
        """The residual stream of one more token after this layer."""
        rows, width = len(x_BD), self.head_dim
        q, k, v = self._turned(self.qkv(self.norms[0](x_BD)).view(rows, -1, width), turn)
        q_NGE = q.reshape(len(hidden_N1C), -1, width)
        mixed_NGE = self.memory.attend(q_NGE, k.reshape(-1, width), v.reshape(-1, width), hidden_N1C, place)
        return self._fed(x_BD + self.output(mixed_NGE.reshape(rows, -1)))

    def _turned(self, heads: Tensor, turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, turned by their place, and values; heads stand in the second dimension."""
        cos, sin = turn
        value = heads.shape[1] - self.kv_heads
        mapped = heads[:, :value]
        turned = torch.addcmul(mapped * cos, mapped.roll(self.head_dim // 2, -1), sin)
        key = value - self.kv_heads
        return turned[:, :key], turned[:, key:], heads[:, value:]

    def _fed(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(self.norms[1](x)).chunk(2, -1)
        return x + self.down(F.silu(gate).mul_(up))
