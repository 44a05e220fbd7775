"""Gengram, a k-mer memory inside a decoder layer (arXiv 2601.22203).
The embeddings of the last few k-mers are looked up, gated by the residual stream, and added to it before attention.

The memory is read in one of two equivalent ways: ``direct`` averages table rows and projects the average; ``folded``
multiplies the projections into the tables beforehand (:mod:`genolm.models.gengram.gengram_fold`) and only sums rows.

Shapes: B batch, S positions including earlier ones, L new positions, D residual width, M pooled width (orders x dim),
P selected positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.gengram.gengram_fold import FoldedTables, worth_folding
from genolm.models.gengram.kmer_stream import KmerStream, spread
from genolm.models.gengram.window_sum import plus_shifted, shifted, window_sum
from genolm.models.linear import Linear
from genolm.models.norm import RMSNorm

# Tokens read at a time in inference, so that the data of a block stays in the processor's cache.
_BLOCK = 1024
# Above this fraction of positions without a folded value, reading all positions directly is cheaper.
_MOSTLY_COVERED = 0.05
_SMALLEST_GATE = 1e-6


Past = Tensor | Callable[[Tensor, int], Tensor] | None


class Written(NamedTuple):
    """Update of the residual stream by a memory.

    Attributes:
        update_BLD: value to add.
        gate_BL: sigmoid gate, fp32, 0 to 1.
    """

    update_BLD: Tensor
    gate_BL: Tensor


class Gengram(nn.Module):
    """Gengram memory of one layer.

    Args:
        config: config of the memory.
        hidden_size: width D of the residual stream.
        eps: epsilon of the norms.
    """

    def __init__(self, config: GengramConfig, hidden_size: int, eps: float) -> None:
        super().__init__()
        self.config = config
        self.tables = nn.ModuleList(nn.Embedding(rows, config.dim) for rows in config.rows)
        width = config.dim * len(config.orders)
        self.key = Linear(width, hidden_size, bias=False)
        self.value = Linear(width, hidden_size, bias=False)
        self.query_norm = RMSNorm(hidden_size, eps)
        self.key_norm = RMSNorm(hidden_size, eps)
        self.conv = CausalConv(hidden_size, config.conv_kernel, config.conv_dilation) if config.conv_kernel else None
        # Set to False to look up every row, for gradients with respect to the lookups.
        self.folds = config.foldable and config.compat != "released-bf16"
        self._folded = FoldedTables()

    def forward(self, x_BLD: Tensor, stream: KmerStream, past: Past = None) -> tuple[Written, Tensor]:
        """Return the update of the residual stream, and the gated values, which the convolution of a later pass reads.

        Args:
            x_BLD: residual stream of the new positions.
            stream: k-mers of these and of the ``config.reach`` positions before them.
            past: gated values before the new positions, (B, P, D), newest last; or a function that fetches them,
                given the new values and the number of positions.
        """
        updates, gates, values = [], [], []
        reach = 0 if self.conv is None else self.config.conv_reach
        blocks = iter([(x_BLD, stream)]) if callable(past) else self._blocks(x_BLD, stream)
        past_BPD = None if callable(past) else past
        for x, part in blocks:
            gate, value = self._gated(x, part)
            if callable(past) and reach:
                past_BPD = past(value, reach)
            update = value
            if self.conv is not None:
                update = value + F.silu(self.conv(value, past_BPD, part))
                past_BPD = value if past_BPD is None else torch.cat((past_BPD, value), 1)
                past_BPD = past_BPD[:, max(0, past_BPD.shape[1] - reach) :]
            updates.append(update)
            gates.append(gate)
            values.append(value)
        return Written(_joined(updates), _joined(gates)), _joined(values)

    def forget(self) -> None:
        """Drop the folded tables, for weights that change without notice, as those gathered by FSDP do."""
        self._folded = FoldedTables()

    def pooled(self, stream: KmerStream) -> Tensor:
        """Return the mean embedding of each order's k-mers in the window, concatenated: (B, L, M), fp32 or better."""
        if self.config.compat == "released-bf16":
            return torch.cat([self._prefix_mean(stream, i) for i in range(len(self.config.orders))], -1)
        return torch.cat([self._window_mean(stream, i) for i in range(len(self.config.orders))], -1)

    def table(self, index: int) -> Tensor:
        """Return the table of the order at ``index``, (rows, dim)."""
        weight = self.tables[index].weight
        assert isinstance(weight, Tensor)
        return weight

    def rows(self, stream: KmerStream, order: int) -> tuple[Tensor, Tensor]:
        """Return the table row of the k-mer that ends at each position, (B, S), and whether it is complete (else 0)."""
        code, complete = stream.code(order, 5), stream.run_BS >= order
        return self._place(code, order).masked_fill(~complete, 0), complete

    def _place(self, code: Tensor, order: int) -> Tensor:
        return spread(code, self.config.table_rows) if self.config.hashed(order) else code

    def _blocks(self, x_BLD: Tensor, stream: KmerStream) -> Iterator[tuple[Tensor, KmerStream]]:
        length = x_BLD.shape[1]
        size = max(1, _BLOCK // x_BLD.shape[0])
        if torch.is_grad_enabled() or length <= size or self.config.compat == "released-bf16":
            yield x_BLD, stream
            return
        for start in range(0, length, size):
            stop = min(start + size, length)
            yield x_BLD[:, start:stop], stream.cut(start, stop, self.config.reach)

    def _gated(self, x_BLD: Tensor, stream: KmerStream) -> tuple[Tensor, Tensor]:
        key_BLD, value_BLD = self._read(stream, x_BLD.dtype)
        gate_BL = self._gate(x_BLD, key_BLD)
        return gate_BL, (gate_BL[..., None] * value_BLD).to(x_BLD.dtype)

    def _gate(self, x_BLD: Tensor, key_BLD: Tensor) -> Tensor:
        kind = self.config.gate
        if kind == "open":
            return x_BLD.new_ones(x_BLD.shape[:2], dtype=torch.promote_types(x_BLD.dtype, torch.float32))
        q, k = self.query_norm(x_BLD), self.key_norm(key_BLD.to(x_BLD.dtype))
        if self.config.compat == "released-bf16":
            logit = (q.bfloat16() * k.bfloat16()).sum(-1) / math.sqrt(q.shape[-1])
        else:
            wide = torch.promote_types(q.dtype, torch.float32)
            logit = (q.to(wide) * k.to(wide)).sum(-1) / math.sqrt(q.shape[-1])
        if kind == "signed-root":
            logit = logit.sign() * logit.abs().clamp_min(_SMALLEST_GATE).sqrt()
        return logit.sigmoid()

    def _read(self, stream: KmerStream, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return keys and values of the new positions, (B, L, D) each."""
        if not self._folds_here(stream):
            pooled = self.pooled(stream).to(self.key.weight.dtype)
            return self.key(pooled), self.value(pooled)
        both = self._folded.read(self, stream, dtype)
        uncovered = stream.pure_BS[:, stream.skip :] < max(self.config.window, self.config.longest)
        if bool(uncovered.any()):
            at = uncovered.nonzero(as_tuple=True)
            pooled = self._pooled_at(stream, *at).to(self.key.weight.dtype)
            here = torch.cat((self.key(pooled), self.value(pooled)), -1)
            both = both.index_put(at, here.to(both.dtype))
        key, value = both.chunk(2, -1)
        return key, value

    def _folds_here(self, stream: KmerStream) -> bool:
        if not self.folds:
            return False
        new = stream.pure_BS[:, stream.skip :]
        covered = (new >= max(self.config.window, self.config.longest)).float().mean().item()
        if covered < 1 - _MOSTLY_COVERED and new.shape[1] > 4 * self.config.reach:
            return False
        return worth_folding(self.config, new.numel()) or (not torch.is_grad_enabled() and self._folded.ready(self))

    def _window_mean(self, stream: KmerStream, index: int) -> Tensor:
        endings = self.config.endings[index]
        rows, complete = self.rows(stream, self.config.orders[index])
        vectors = _wide(self.tables[index](rows)) * complete[..., None]
        total = window_sum(vectors, endings, stream.reach_BS)[:, stream.skip :]
        count = window_sum(complete.to(total.dtype), endings, stream.reach_BS)[:, stream.skip :]
        return total / count.clamp_min(1)[..., None]

    def _pooled_at(self, stream: KmerStream, batch_P: Tensor, place_P: Tensor) -> Tensor:
        """Return the pooled features of selected new positions, (P, M)."""
        means = []
        place_P = place_P + stream.skip
        for index, order in enumerate(self.config.orders):
            rows, complete = self.rows(stream, order)
            back = torch.arange(self.config.endings[index], device=rows.device)
            at = place_P[:, None] - back
            valid = at >= 0
            if stream.reach_BS is not None:
                valid &= back < stream.reach_BS[batch_P, place_P][:, None]
            at = at.clamp_min(0)
            counted = complete[batch_P[:, None], at] & valid
            vectors = _wide(self.tables[index](rows[batch_P[:, None], at])) * counted[..., None]
            means.append(vectors.sum(1) / counted.sum(1).clamp_min(1)[:, None])
        return torch.cat(means, -1)

    def _prefix_mean(self, stream: KmerStream, index: int) -> Tensor:
        """Return the mean as the released code computes it: the difference of two values of a running sum in bf16."""
        endings = self.config.endings[index]
        rows, complete = self.rows(stream, self.config.orders[index])
        vectors = self.tables[index](rows).bfloat16() * complete[..., None]
        running = torch.empty_like(vectors)
        total = torch.zeros_like(vectors[:, 0])
        for place in range(vectors.shape[1]):
            total = total + vectors[:, place]
            running[:, place] = total
        count = window_sum(complete.float(), endings)
        mean = (running - shifted(running, endings)) / count.clamp_min(1)[..., None].bfloat16()
        return mean[:, stream.skip :]


class CausalConv(nn.Module):
    """Causal depthwise convolution without bias: tap i reads ``(kernel - 1 - i) * dilation`` tokens back."""

    def __init__(self, hidden_size: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        self.weight = nn.Parameter(torch.empty(hidden_size, 1, kernel))
        nn.init.uniform_(self.weight, -(kernel**-0.5), kernel**-0.5)

    def forward(self, u_BLD: Tensor, past_BPD: Tensor | None, stream: KmerStream) -> Tensor:
        """Return the convolved values, (B, L, D); values of other documents count as zero.

        Args:
            u_BLD: new values.
            past_BPD: earlier values, newest last.
            stream: k-mers, which know the extent of each document.
        """
        values_BSD = u_BLD if past_BPD is None else torch.cat((past_BPD, u_BLD), 1)
        new = values_BSD.shape[1] - u_BLD.shape[1]
        reach = stream.reach_BS
        if reach is not None:
            # Values of earlier passes belong to one document, so their own reach is not needed.
            reach = F.pad(reach[:, stream.skip :], (new, 0), value=1)
        out = torch.zeros_like(values_BSD)
        for tap in range(self.kernel):
            back = (self.kernel - 1 - tap) * self.dilation
            out = plus_shifted(out, values_BSD * self.weight[:, 0, tap], back, reach)
        return out[:, new:]


def _wide(values: Tensor) -> Tensor:
    """Convert to fp32, unless the values are fp64."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
