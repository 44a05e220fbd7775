"""Causal decoder of Genos, Gengram, GenomeOcean and genolm's own small models.

Shapes: B batch, L new tokens, S all tokens so far, D residual width, H query heads, K key-value heads, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genolm.errors import ModelError
from genolm.models.gengram.gengram import Gengram, Written
from genolm.models.gengram.kmer_stream import NOTHING, KmerStream, KmerTables, digits_of, read_kmers
from genolm.models.networks.attention.attention import choose_attention, rotary_angles, rotate
from genolm.models.networks.attention.context_parallel import RemotePast
from genolm.models.networks.cache import KVCache
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.experts import MixtureOfExperts, SwiGLU
from genolm.models.networks.token_vectors import token_vectors
from genolm.models.norm import RMSNorm

Angles = tuple[Tensor, Tensor]


class MemoryTrace(NamedTuple):
    """Activity of the Gengram memory of a layer.

    Attributes:
        gate_BL: gate, fp32, 0 to 1.
        written_BL: Euclidean norm of its update of the residual stream, fp32.
        stream_BL: Euclidean norm of the residual stream before the update, fp32.
    """

    gate_BL: Tensor
    written_BL: Tensor
    stream_BL: Tensor


class DecoderOutput(NamedTuple):
    """Output of one pass.

    Attributes:
        logits_BLV: next-token logits, fp32; None if not requested.
        hidden: requested layers, (B, L, D) each; 0 is the embedding, ``num_layers`` is after the final norm.
        router: raw router logits of each layer, fp32 (B * L, E); empty for a dense model or if not requested.
        memory: activity of the Gengram memories, by layer counted from 1; empty if not requested.
    """

    logits_BLV: Tensor | None
    hidden: dict[int, Tensor]
    router: tuple[Tensor, ...]
    memory: dict[int, MemoryTrace] = {}  # noqa: RUF012


class Attention(nn.Module):
    """Grouped-query causal attention with rotary positions."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.head_dim = layer, config.head_dim
        queries, keys = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
        self.query = nn.Linear(config.hidden_size, queries, bias=False)
        self.key = nn.Linear(config.hidden_size, keys, bias=False)
        self.value = nn.Linear(config.hidden_size, keys, bias=False)
        self.output = nn.Linear(queries, config.hidden_size, bias=False)

    def forward(self, x_BLD: Tensor, angles: Angles, allowed_BLS: Tensor | None, cache: KVCache | None) -> Tensor:
        """Return the output, (B, L, D); with a cache, keys of earlier passes are attended to as well."""
        q, k, v = self._project(x_BLD, angles)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)
        return self._attend(q, k, v, allowed_BLS)

    def branch(self, x_NSD: Tensor, angles: Angles, starts: list[int], cache: KVCache) -> Tensor:
        """Like :meth:`forward`, each row continuing after its own number of cached tokens; the cache is not changed."""
        q, k, v = self._project(x_NSD, angles)
        past_k, past_v = cache.layer(self.layer)
        rows = []
        for n, start in enumerate(starts):
            row = slice(n, n + 1)
            keys = torch.cat((past_k[:, :, :start], k[row]), 2)
            values = torch.cat((past_v[:, :, :start], v[row]), 2)
            rows.append(self._attend(q[row], keys, values, None))
        return torch.cat(rows)

    def _project(self, x_BLD: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (self._heads(linear(x_BLD)) for linear in (self.query, self.key, self.value))
        # Contiguous, because the blocked backend would otherwise copy the values for every block.
        return rotate(q, *angles), rotate(k, *angles), v.contiguous()

    def _heads(self, x_BLD: Tensor) -> Tensor:
        return x_BLD.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, allowed_BLS: Tensor | None) -> Tensor:
        attention = choose_attention(q, k, allowed_BLS is not None)
        mixed_BHLD = attention(q.contiguous(), k, v, allowed_BLS)
        return self.output(mixed_BHLD.transpose(1, 2).flatten(2))


class DecoderLayer(nn.Module):
    """Decoder layer: optional Gengram memory, pre-norm attention, and a pre-norm feed-forward block, dense or MoE.

    Args:
        config: config of the decoder.
        layer: index of the layer, counted from 0.
    """

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.gengram: Gengram | None = None
        if config.gengram is not None and layer + 1 in config.gengram.layers:
            self.gengram = Gengram(config.gengram, config.hidden_size, config.norm_eps)
        self.attention_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.attention = Attention(config, layer)
        self.ffn_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.ffn: MixtureOfExperts | SwiGLU
        if config.num_experts:
            self.ffn = MixtureOfExperts(
                config.hidden_size, config.ffn_size, config.num_experts, config.experts_per_token
            )
        else:
            self.ffn = SwiGLU(config.hidden_size, config.ffn_size)

    def forward(
        self,
        x_BLD: Tensor,
        angles: Angles,
        allowed_BLS: Tensor | None = None,
        cache: KVCache | None = None,
        stream: KmerStream | None = None,
        traced: bool = False,
    ) -> tuple[Tensor, Tensor | None, MemoryTrace | None]:
        """Return the residual stream after this layer, the router logits, and the trace of the memory if requested."""
        trace = None
        if self.gengram is not None and stream is not None:
            written = self._remember(self.gengram, x_BLD, cache, stream)
            trace = _trace(written, x_BLD) if traced else None
            x_BLD = x_BLD + written.update_BLD
        x_BLD = x_BLD + self.attention(self.attention_norm(x_BLD), angles, allowed_BLS, cache)
        return *self._feed_forward(x_BLD), trace

    def branch(
        self, x_NSD: Tensor, angles: Angles, starts: list[int], cache: KVCache, stream: KmerStream | None = None
    ) -> Tensor:
        """Return the residual stream of alternative continuations after this layer."""
        if self.gengram is not None and stream is not None:
            past = cache.written_before(self.attention.layer, starts, self.gengram.config.conv_reach)
            x_NSD = x_NSD + self.gengram(x_NSD, stream, past)[0].update_BLD
        x_NSD = x_NSD + self.attention.branch(self.attention_norm(x_NSD), angles, starts, cache)
        return self._feed_forward(x_NSD)[0]

    def _remember(self, gengram: Gengram, x_BLD: Tensor, cache: KVCache | None, stream: KmerStream) -> Written:
        if isinstance(cache, RemotePast):
            return gengram(x_BLD, stream, cache.written_before_piece)[0]
        past = None if cache is None else cache.written(self.attention.layer)
        written, values_BLD = gengram(x_BLD, stream, past)
        if cache is not None:
            cache.keep_written(self.attention.layer, values_BLD, gengram.config.conv_reach)
        return written

    def _feed_forward(self, x_BLD: Tensor) -> tuple[Tensor, Tensor | None]:
        out_BLD, router = self.ffn(self.ffn_norm(x_BLD))
        return x_BLD + out_BLD, router


class Decoder(nn.Module):
    """Token embedding (with optional k-mer tables), decoder layers, final norm and language-model head.

    Args:
        config: config of the decoder.
        base_ids: token ids of A, C, G and T, for k-mers.
        n_id: token id of N, which is also a letter of k-mers.
    """

    def __init__(
        self, config: DecoderConfig, base_ids: tuple[int, int, int, int] = (8, 5, 6, 7), n_id: int = 9
    ) -> None:
        super().__init__()
        self.config = config
        self._digits = digits_of(config.vocab_size, base_ids, n_id)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.kmer: KmerTables | None = None
        if config.kmer_orders:
            self.kmer = KmerTables(config.kmer_orders, config.kmer_dims, config.hidden_size, config.kmer_rows)
        self.layers = nn.ModuleList(DecoderLayer(config, layer) for layer in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.tie()

    def tie(self) -> None:
        """Let the head share the tensor of the embedding, if the config ties them; required after setting either."""
        if self.config.tied:
            self.head.weight = self.embedding.weight

    def forward(
        self,
        ids_BL: Tensor,
        *,
        mask_BL: Tensor | None = None,
        vectors_BLD: Tensor | None = None,
        replaced_BL: Tensor | None = None,
        positions_BL: Tensor | None = None,
        documents_BL: Tensor | None = None,
        cache: KVCache | None = None,
        layers: Collection[int] = (),
        logits: bool = True,
        router: bool = False,
        memory: bool = False,
    ) -> DecoderOutput:
        """Run tokens through the network.

        Args:
            ids_BL: token ids.
            mask_BL: True for real tokens. Required only with left padding: no real token sees padding on its right.
            vectors_BLD: token vectors to use instead of those of the ids. K-mers are still those of the ids.
            replaced_BL: True where ``vectors_BLD`` is used; None: everywhere.
            positions_BL: rotary positions; by default consecutive from the length of the cache.
            documents_BL: document number of each token of a packed batch; tokens see only their own document. The
                tokens of a document must be contiguous.
            cache: cache to continue from, to which the new tokens are appended.
            layers: hidden states to return, 0 (embedding) to ``num_layers`` (after the final norm).
            logits: whether to compute the head.
            router: whether to return router logits.
            memory: whether to return the activity of the Gengram memories.

        Raises:
            ModelError: a layer does not exist, or documents are given with a cache that was started without them.
        """
        self._check_layers(layers)
        past = 0 if cache is None else cache.length
        past_ids_BS = None if cache is None else cache.ids_BS
        if cache is not None:
            cache.read(ids_BL, mask_BL, documents_BL)
            mask_BL, documents_BL = cache.mask_BS, cache.documents_BS
        stream = self._kmers(ids_BL, past_ids_BS, mask_BL, documents_BL)
        x_BLD = self._embed(ids_BL, stream, vectors_BLD, replaced_BL)
        angles = self._angles(ids_BL, positions_BL, past)
        allowed_BLS = _allowed(mask_BL, documents_BL, ids_BL.shape[1])
        hidden, routers, traces = {}, [], {}
        for index, layer in enumerate(self.layers):
            if index in layers:
                hidden[index] = x_BLD
            x_BLD, router_logits, trace = layer(x_BLD, angles, allowed_BLS, cache, stream, memory)
            if router and router_logits is not None:
                routers.append(router_logits)
            if trace is not None:
                traces[index + 1] = trace
        return self._finish(x_BLD, hidden, tuple(routers), layers, logits)._replace(memory=traces)

    def branch(
        self, ids_NS: Tensor, starts: list[int], cache: KVCache, *, layers: Collection[int] = (), logits: bool = True
    ) -> DecoderOutput:
        """Run alternative continuations of one cached sequence, each after its own number of cached tokens.

        Row n equals a full pass over the first ``starts[n]`` cached tokens followed by ``ids_NS[n]``. The cache is not
        changed, so that many variants share one pass over the reference.

        Args:
            ids_NS: N continuations of S tokens (pad on the right and ignore the outputs there).
            starts: number of cached tokens before each continuation, 0 to ``cache.length``.
            cache: cache of batch size 1 without padding.
            layers: hidden states to return, as in :meth:`forward`.
            logits: whether to compute the head.

        Raises:
            ModelError: the cache has several rows, padding or is not for branches, or a start is outside it.
        """
        self._check_layers(layers)
        past_ids = cache.ids_BS
        padded = cache.mask_BS is not None or cache.documents_BS is not None
        if past_ids is None or past_ids.shape[0] != 1 or padded:
            raise ModelError("a branch requires a cache of one sequence without padding or documents")
        if not all(0 <= start <= cache.length for start in starts):
            raise ModelError(f"a branch must start within the {cache.length} cached tokens, not at {starts}")
        stream = self._kmers(ids_NS, self._history(past_ids, starts), None, None)
        x_NSD = self._embed(ids_NS, stream)
        steps = torch.arange(ids_NS.shape[1], device=ids_NS.device)
        positions = torch.tensor(starts, device=ids_NS.device)[:, None] + steps
        angles = rotary_angles(positions, self.config.head_dim, self.config.rope_theta)
        hidden = {}
        for index, layer in enumerate(self.layers):
            if index in layers:
                hidden[index] = x_NSD
            x_NSD = layer.branch(x_NSD, angles, starts, cache, stream)  # type: ignore[operator]
        return self._finish(x_NSD, hidden, (), layers, logits)

    def stream(
        self, ids_BL: Tensor, *, chunk: int = 16_384, layers: Collection[int] = (), logits: bool = True
    ) -> Iterator[DecoderOutput]:
        """Run a sequence in chunks through one cache; the concatenated outputs equal those of one pass."""
        cache = self.new_cache()
        for ids in ids_BL.split(chunk, 1):
            yield self(ids, cache=cache, layers=layers, logits=logits)

    def new_cache(self, *, branches: bool = False) -> KVCache:
        """Return an empty cache; one for :meth:`branch` keeps all inputs of Gengram convolutions."""
        return KVCache(self.config.num_layers, branches=branches)

    @property
    def root(self) -> Decoder:
        """The network itself, which holds all weights."""
        return self

    def read(
        self, ids_BL: Tensor, mask_BL: Tensor, layer: int | None, heads: Collection[str]
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return the hidden states of a layer, (B, L, D), undefined at padding, and the outputs of heads by name.

        Args:
            ids_BL: token ids.
            mask_BL: True for real tokens.
            layer: layer as in :meth:`forward`; None for no hidden states.
            heads: names of built-in heads.
        """
        layers = () if layer is None else (layer,)
        output = self(ids_BL, mask_BL=mask_BL, layers=layers, logits=bool(heads))
        outputs = {} if output.logits_BLV is None else {"language": output.logits_BLV}
        return None if layer is None else output.hidden[layer], outputs

    def _embed(
        self,
        ids_BL: Tensor,
        stream: KmerStream | None,
        vectors_BLD: Tensor | None = None,
        replaced_BL: Tensor | None = None,
    ) -> Tensor:
        x_BLD = token_vectors(self.embedding, ids_BL, vectors_BLD, replaced_BL)
        return x_BLD if self.kmer is None or stream is None else x_BLD + self.kmer(stream)

    def _kmers(
        self, ids_BL: Tensor, past_ids_BS: Tensor | None, mask_BS: Tensor | None, documents_BS: Tensor | None
    ) -> KmerStream | None:
        """Return the k-mers of the new tokens and of the earlier tokens that they depend on; None if none are read."""
        reach = self._reach(None if past_ids_BS is None else past_ids_BS.shape[1])
        if self.kmer is None and self.config.gengram is None:
            return None
        ids_BS, skip = ids_BL, 0
        if past_ids_BS is not None and reach:
            history = past_ids_BS[:, -reach:]
            ids_BS, skip = torch.cat((history, ids_BL), 1), history.shape[1]
        digits_BS = torch.tensor(self._digits, device=ids_BL.device)[ids_BS]
        if mask_BS is not None:
            digits_BS = digits_BS.masked_fill(~mask_BS[:, -ids_BS.shape[1] :], NOTHING)
        memory = self.config.gengram
        crossing = memory is not None and memory.compat != "none"
        if documents_BS is None or crossing:
            return read_kmers(digits_BS, None, skip)
        return read_kmers(digits_BS, documents_BS[:, -ids_BS.shape[1] :], skip)

    def _reach(self, past: int | None) -> int:
        """Return the number of earlier tokens on which the k-mers of a new token may depend."""
        memory = self.config.gengram
        if memory is not None and memory.compat == "released-bf16":
            return past or 0
        reach = max(self.config.kmer_orders, default=0)
        return max(reach, 0 if memory is None else max(memory.reach, memory.conv_reach))

    def _history(self, past_ids_1S: Tensor, starts: list[int]) -> Tensor | None:
        """Return the last cached ids before each branch, (N, reach), padded at the beginning."""
        reach = self._reach(past_ids_1S.shape[1])
        if not reach:
            return None
        padding = past_ids_1S.new_full((reach,), self.config.pad_id)
        padded = torch.cat((padding, past_ids_1S[0]))
        return torch.stack([padded[start : start + reach] for start in starts])

    def _angles(self, ids_BL: Tensor, positions_BL: Tensor | None, past: int) -> Angles:
        if positions_BL is None:
            positions_BL = torch.arange(past, past + ids_BL.shape[1], device=ids_BL.device)[None]
        return rotary_angles(positions_BL, self.config.head_dim, self.config.rope_theta)

    def _finish(
        self,
        x_BLD: Tensor,
        hidden: dict[int, Tensor],
        routers: tuple[Tensor, ...],
        layers: Collection[int],
        logits: bool,
    ) -> DecoderOutput:
        if not logits and self.config.num_layers not in layers:
            return DecoderOutput(None, hidden, routers)
        x_BLD = self.norm(x_BLD)
        if self.config.num_layers in layers:
            hidden[self.config.num_layers] = x_BLD
        return DecoderOutput(self.head(x_BLD).float() if logits else None, hidden, routers)

    def _check_layers(self, layers: Collection[int]) -> None:
        wrong = [layer for layer in layers if not 0 <= layer <= self.config.num_layers]
        if wrong:
            raise ModelError(f"layer {wrong[0]} does not exist: layers are 0 (embedding) to {self.config.num_layers}")


def _trace(written: Written, x_BLD: Tensor) -> MemoryTrace:
    norms = (values.detach().float().norm(dim=-1) for values in (written.update_BLD, x_BLD))
    return MemoryTrace(written.gate_BL.detach().float(), *norms)


def _allowed(mask_BS: Tensor | None, documents_BS: Tensor | None, num_queries: int) -> Tensor | None:
    """Return where a query may attend in addition to causality, (B, L, S); None for causality alone."""
    allowed = None
    # Right padding needs no mask: causality already hides it from real tokens.
    if mask_BS is not None and not bool((mask_BS[:, 1:] <= mask_BS[:, :-1]).all() & mask_BS[:, 0].all()):
        allowed = mask_BS[:, None, :].expand(-1, num_queries, -1)
    if documents_BS is not None:
        same = documents_BS[:, -num_queries:, None] == documents_BS[:, None, :]
        allowed = same if allowed is None else allowed & same
    return allowed
