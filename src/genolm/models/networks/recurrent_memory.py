"""Recurrent memory around an encoder: sequences of any length, one segment at a time, in constant memory.

A pass reads ``[CLS] memory [SEP] content [SEP]``. The memory's vectors replace the token vectors at its positions
(before types, positions and norm); the last hidden state at these positions is the memory of the next segment. It
starts as learned vectors, the last rows of the encoder's embedding. Shorter sequences of a batch start later,
so that all end together.

Shapes: B rows of a batch, L tokens of the longest, R rows that have a segment in a step, S tokens of a pass, M vectors
of the memory, D residual width, N content tokens of all rows of a step, C labels, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genolm.errors import InputError, ModelError
from genolm.models.networks.encoder import Encoder, EncoderOutput
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.recurrent_memory_config import MemoryConfig
from genolm.models.networks.token_vectors import token_vectors


@dataclass(frozen=True, slots=True, eq=False)
class MemoryStep:
    """One segment of each row that has one in this step.

    Attributes:
        index: index of the step; the last step has a segment of every row.
        row_R: indices of the rows.
        spans: content of each row: 0-based half-open (start, stop) among its real tokens.
        ids_RS: ids of the passes: special tokens, memory, content, padding.
        mask_RS: True for tokens that are attended to.
        content_RS: True for tokens of the content.
        read_RMD: memory before the segment.
        written_RMD: memory after it.
        output: output of the encoder for the passes; ``logits`` of the content only, (N, V).
    """

    index: int
    row_R: Tensor
    spans: tuple[tuple[int, int], ...]
    ids_RS: Tensor
    mask_RS: Tensor
    content_RS: Tensor
    read_RMD: Tensor
    written_RMD: Tensor
    output: EncoderOutput

    def content(self, values_RS: Tensor) -> Tensor:
        """Return the values of the content, (N, …) row after row, given those of complete passes, (R, S, …)."""
        return values_RS[self.content_RS]


class SegmentLabels(NamedTuple):
    """Outputs of the sequence head after one segment: indices of the rows, and (R, C)."""

    row_R: Tensor
    labels_RC: Tensor


class MemoryOutput(NamedTuple):
    """Output for a batch; values of tokens are at the positions of the tokens, zero at padding.

    Attributes:
        labels: sequence labels (B, C) after the last segment, or token labels (B, L, C); None without a head.
        segments: outputs of the sequence head after each segment, in order; empty for other models.
        logits_BLV: logits of the masked-language head; None if not requested.
        hidden: requested layers, (B, L, D) each.
        pooled_BD: pooled vector after the last segment; None without a pooler.
        memory_BMD: memory at the end.
        step_BL: index of the step in which each token was read; -1 at padding.
    """

    labels: Tensor | None
    segments: tuple[SegmentLabels, ...]
    logits_BLV: Tensor | None
    hidden: dict[int, Tensor]
    pooled_BD: Tensor | None
    memory_BMD: Tensor
    step_BL: Tensor


class RecurrentMemory(nn.Module):
    """Encoder with a memory of earlier segments of a sequence (RMT, Bulatov et al. 2022).

    Args:
        encoder: network whose config describes the memory; the last rows of its embedding are the initial memory.
            :meth:`around` makes such an encoder from one without a memory.
        memory: another use of the memory, which replaces that in the encoder's config.

    Raises:
        ModelError: the config has no memory, or an invalid one.
    """

    def __init__(self, encoder: Encoder, memory: MemoryConfig | None = None) -> None:
        super().__init__()
        if memory is not None:
            encoder.config = replace(encoder.config, memory=memory)
        if encoder.config.memory is None:
            raise ModelError("this encoder has no recurrent memory; RecurrentMemory.around adds one to a copy of it")
        self.encoder, self.memory = encoder, encoder.config.memory

    @classmethod
    def around(cls, encoder: Encoder, memory: MemoryConfig, seed: int) -> RecurrentMemory:
        """Add a new memory to a copy of a trained encoder, whose embedding is extended by its rows.

        Args:
            encoder: trained encoder, which is not changed.
            memory: use of the memory.
            seed: random seed of the new rows, normal with the encoder's ``initial_std``.
        """
        config = encoder.config
        rows = config.vocab_size + memory.tokens
        grown = Encoder(replace(config, vocab_size=rows, token_rows=config.tokens, memory=memory))
        generator = torch.Generator().manual_seed(seed)
        new = torch.empty(memory.tokens, config.hidden_size).normal_(0.0, config.initial_std, generator=generator)
        tensors = encoder.state_dict()
        table = tensors["embedding.tokens.weight"]
        tensors["embedding.tokens.weight"] = torch.cat((table, new.to(table)))
        if encoder.head is not None:
            bias = tensors["head.bias"]
            tensors["head.bias"] = torch.cat((bias, bias.new_zeros(memory.tokens)))
        grown.load_state_dict(tensors)
        return cls(grown.to(table))

    @property
    def config(self) -> EncoderConfig:
        """Config of the encoder."""
        return self.encoder.config

    @property
    def root(self) -> Encoder:
        """The encoder, which holds all weights."""
        return self.encoder

    @property
    def start(self) -> Tensor:
        """Memory before the first segment, (M, D)."""
        table_VD = self.encoder.embedding.tokens.weight
        return table_VD[len(table_VD) - self.memory.tokens :]

    def forward(
        self,
        ids_BL: Tensor,
        mask_BL: Tensor | None = None,
        *,
        vectors_BLD: Tensor | None = None,
        replaced_BL: Tensor | None = None,
        layers: Collection[int] = (),
        logits: bool = False,
    ) -> MemoryOutput:
        """Run complete sequences. The size of the output grows with their length; use :meth:`steps` to stream.

        Arguments and errors as in :meth:`steps`.
        """
        mask_BL = torch.ones_like(ids_BL, dtype=torch.bool) if mask_BL is None else mask_BL.bool()
        collected: dict[str | int, list[Tensor]] = {}
        positions, segments = [], []
        step_BL = ids_BL.new_full(ids_BL.shape, -1)
        token_labels = self.encoder.config.labels and self.encoder.config.labels_of == "token"
        steps = self.steps(
            ids_BL, mask_BL, vectors_BLD=vectors_BLD, replaced_BL=replaced_BL, layers=layers, logits=logits
        )
        for step in steps:
            position_N = _positions(mask_BL, step)
            positions.append(position_N)
            step_BL.view(-1)[position_N] = step.index
            for layer in layers:
                collected.setdefault(layer, []).append(step.content(step.output.hidden[layer]))
            if step.output.logits is not None:
                collected.setdefault("logits", []).append(step.output.logits)
            if token_labels and step.output.labels is not None:
                collected.setdefault("labels", []).append(step.content(step.output.labels))
            elif step.output.labels is not None:
                segments.append(SegmentLabels(step.row_R, step.output.labels))
        scattered = {name: _scattered(values, positions, mask_BL) for name, values in collected.items()}
        return MemoryOutput(
            labels=scattered.pop("labels") if token_labels else step.output.labels,
            segments=tuple(segments),
            logits_BLV=scattered.pop("logits", None),
            hidden={layer: scattered[layer] for layer in layers},
            pooled_BD=step.output.pooled_BD,
            memory_BMD=step.written_RMD,
            step_BL=step_BL,
        )

    def read(
        self, ids_BL: Tensor, mask_BL: Tensor, layer: int | None, heads: Collection[str]
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return the hidden states of a layer, (B, L, D), zero at padding, and the outputs of heads by name.

        Args:
            ids_BL: token ids, without special tokens.
            mask_BL: True for real tokens.
            layer: hidden states to return; None for none.
            heads: names of built-in heads; for sequences, their outputs are those after the last segment.
        """
        layers = () if layer is None else (layer,)
        output = self(ids_BL, mask_BL, layers=layers, logits="masked" in heads)
        outputs = {"masked": output.logits_BLV, "pooler": output.pooled_BD, "labels": output.labels}
        wanted = {name: values for name, values in outputs.items() if name in heads and values is not None}
        return None if layer is None else output.hidden[layer], wanted

    def steps(
        self,
        ids_BL: Tensor,
        mask_BL: Tensor | None = None,
        *,
        vectors_BLD: Tensor | None = None,
        replaced_BL: Tensor | None = None,
        layers: Collection[int] = (),
        logits: bool = False,
    ) -> Iterator[MemoryStep]:
        """Run segment after segment, in memory that does not depend on the number of segments.

        Args:
            ids_BL: tokens of the sequences, without special tokens, which are added to each segment here.
            mask_BL: True for real tokens; None if all are.
            vectors_BLD: token vectors to use instead of those of the ids (before types, positions and norm).
            replaced_BL: True where ``vectors_BLD`` is used; None: everywhere.
            layers: hidden states to return.
            logits: whether to compute the masked-language head.

        Yields:
            Steps in order; the last has every row, in the order of the batch.

        Raises:
            InputError: a sequence is longer than ``max_segments``, already has ``[CLS]`` and ``[SEP]`` around it,
                or has an id that is not a token.
        """
        bodies = self._bodies(ids_BL, mask_BL)
        vectors = None
        if vectors_BLD is not None or replaced_BL is not None:
            vectors_BLD = token_vectors(self.encoder.embedding.tokens, ids_BL, vectors_BLD, replaced_BL)
            vectors = _real(vectors_BLD, mask_BL)
        cuts = [self.memory.cuts(len(body)) for body in bodies]
        total = max(map(len, cuts))
        memory_BMD = self._start(len(bodies))
        for index in range(total):
            rows = [row for row, spans_of_row in enumerate(cuts) if index >= total - len(spans_of_row)]
            spans = tuple(cuts[row][index - total + len(cuts[row])] for row in rows)
            row_R = torch.tensor(rows, device=ids_BL.device)
            read_RMD = memory_BMD[row_R]
            if 0 <= self.memory.depth < total - index:
                read_RMD = read_RMD.detach()
            pieces = _pieces(bodies, rows, spans)
            given_ND = None if vectors is None else torch.cat(_pieces(vectors, rows, spans))
            step = self._step(index, row_R, spans, pieces, given_ND, read_RMD, layers, logits)
            memory_BMD = memory_BMD.index_copy(0, row_R, step.written_RMD)
            yield step

    def _start(self, rows: int) -> Tensor:
        start_MD, depth, most = self.start, self.memory.depth, self.memory.max_segments
        if most is not None and 0 <= depth < most:  # the published count includes the steps that a short sequence skips
            start_MD = start_MD.detach()
        return start_MD.expand(rows, -1, -1)

    def _step(
        self,
        index: int,
        row_R: Tensor,
        spans: tuple[tuple[int, int], ...],
        pieces: list[Tensor],
        given_ND: Tensor | None,
        read_RMD: Tensor,
        layers: Collection[int],
        logits: bool,
    ) -> MemoryStep:
        ids_RS, mask_RS, content_RS = self._passes(pieces)
        last, before = self.encoder.config.num_layers, self.memory.before
        vectors_RSD = self.encoder.embedding.tokens(ids_RS)
        vectors_RSD = torch.cat((vectors_RSD[:, :1], read_RMD, vectors_RSD[:, before - 1 :]), 1)
        if given_ND is not None:
            vectors_RSD = vectors_RSD.masked_scatter(content_RS[..., None], given_ND)
        output = self.encoder(
            ids_RS,
            mask_BL=mask_RS,
            vectors_BLD=vectors_RSD,
            layers={*layers, last},
            logits=content_RS if logits else False,
        )
        written_RMD = output.hidden[last][:, 1 : before - 1]
        return MemoryStep(index, row_R, spans, ids_RS, mask_RS, content_RS, read_RMD, written_RMD, output)

    def _passes(self, pieces: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the ids of the passes and the masks of attended and of content tokens, (R, S) each."""
        memory, config, device = self.memory, self.encoder.config, pieces[0].device
        lengths_R = torch.tensor([len(piece) for piece in pieces], device=device)
        padding = config.pad_id if memory.attended_padding is None else memory.attended_padding
        width = int(lengths_R.max()) + memory.before + 1 if memory.attended_padding is None else memory.segment
        ids_RS = torch.full((len(pieces), width), padding, dtype=pieces[0].dtype, device=device)
        ids_RS[:, 0] = memory.cls_id
        first = config.vocab_size - memory.tokens
        ids_RS[:, 1 : memory.before - 1] = torch.arange(first, config.vocab_size, device=device)
        ids_RS[:, memory.before - 1] = memory.sep_id
        for row, piece in enumerate(pieces):
            ids_RS[row, memory.before : memory.before + len(piece)] = piece
            ids_RS[row, memory.before + len(piece)] = memory.sep_id
        place_S = torch.arange(width, device=device)
        ends_R1 = (memory.before + lengths_R)[:, None]
        mask_RS = place_S <= ends_R1 if memory.attended_padding is None else torch.ones_like(ids_RS, dtype=torch.bool)
        return ids_RS, mask_RS, (place_S >= memory.before) & (place_S < ends_R1)

    def _bodies(self, ids_BL: Tensor, mask_BL: Tensor | None) -> list[Tensor]:
        bodies = _real(ids_BL, mask_BL)
        if not bodies:
            raise InputError("a batch must have at least one sequence")
        tokens = self.encoder.config.tokens
        for number, body in enumerate(bodies):
            if not len(body):
                continue
            if int(body.max()) >= tokens or int(body.min()) < 0:
                raise InputError(f"sequence {number} has an id outside the {tokens} tokens of the vocabulary")
            if int(body[0]) == self.memory.cls_id and int(body[-1]) == self.memory.sep_id:
                raise InputError(f"sequence {number} already has [CLS] and [SEP]; give it without special tokens")
        return bodies


def _real(values_BL: Tensor, mask_BL: Tensor | None) -> list[Tensor]:
    """Return the values of the real tokens of each row."""
    if mask_BL is None:
        return list(values_BL)
    return [row[real.bool()] for row, real in zip(values_BL, mask_BL, strict=True)]


def _pieces(rows: list[Tensor], numbers: list[int], spans: tuple[tuple[int, int], ...]) -> list[Tensor]:
    """Return the spans of some rows, given by their numbers."""
    return [rows[row][start:stop] for row, (start, stop) in zip(numbers, spans, strict=True)]


def _positions(mask_BL: Tensor, step: MemoryStep) -> Tensor:
    """Return the positions of the content of a step in the flattened batch, (N,)."""
    collected = []
    for row, (start, stop) in zip(step.row_R.tolist(), step.spans, strict=True):
        collected.append(row * mask_BL.shape[1] + mask_BL[row].nonzero()[start:stop, 0])
    return torch.cat(collected)


def _scattered(values: list[Tensor], positions: list[Tensor], mask_BL: Tensor) -> Tensor:
    """Return the content of all steps at the positions of its tokens, (B, L, …)."""
    joined = torch.cat(values)
    scattered = joined.new_zeros(mask_BL.numel(), *joined.shape[1:])
    return scattered.index_copy(0, torch.cat(positions), joined).unflatten(0, tuple(mask_BL.shape))
