"""A backbone with named heads.

Shapes: B rows, L tokens, D width of the backbone, I input width of a head.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from genolm.errors import ModelError
from genolm.models.heads.head_config import HeadConfig, LabelHeadConfig, TrackHeadConfig, check_head_name
from genolm.models.heads.label_head import LabelHead, ProjectionHead
from genolm.models.heads.reverse_strand import join_strands, reverse_strand
from genolm.models.heads.track_head import TrackHead
from genolm.models.networks.built_in_head import BuiltInHead
from genolm.models.networks.network import Backbone, Network
from genolm.models.networks.network_config import NetworkConfig
from genolm.tokens.complements import complement_ids
from genolm.tokens.tokenizer import Tokenizer

Head: TypeAlias = LabelHead | TrackHead | ProjectionHead
"""A head that is added to a backbone."""

_LEAST_WIDTH = 16  # the track head divides the width by 16


def build_head(config: HeadConfig, backbone: NetworkConfig, seed: int = 0) -> Head:
    """Make a head for a backbone, in fp32, with initial weights that depend on ``seed`` only.

    Args:
        config: config of the head.
        backbone: config of the backbone, for width and directions.
        seed: random seed of the weights, which have the distributions of torch's layers.

    Raises:
        ModelError: the head pools the first token of a causal backbone, or the backbone is too narrow for it.
    """
    width = input_width(config, backbone)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the generators of GPUs
        return _new_head(config, width)


def _new_head(config: HeadConfig, width: int) -> Head:
    if isinstance(config, TrackHeadConfig):
        if width < _LEAST_WIDTH:
            raise ModelError(f"a track head requires a width of at least {_LEAST_WIDTH}, not {width}")
        return TrackHead(config, width)
    return LabelHead(config, width) if isinstance(config, LabelHeadConfig) else ProjectionHead(config, width)


def input_width(config: HeadConfig, backbone: NetworkConfig) -> int:
    """Return the input width of a head: twice that of a causal backbone if it reads both strands.

    Raises:
        ModelError: the head pools the first token of a causal backbone.
    """
    if not backbone.causal:
        return backbone.hidden_size
    if config.of == "sequence" and not isinstance(config, TrackHeadConfig) and config.pooling == "first":
        raise ModelError("pooling first is not applicable to a causal backbone, whose first token sees no other")
    return backbone.hidden_size * (2 if config.reads_both_sides else 1)


class HeadedNetwork(nn.Module):
    """A backbone with heads; tensors are called ``backbone.…`` and ``heads.NAME.…``.

    A causal backbone has seen only the left side of a base. Heads that read both sides therefore get the state of each
    base joined with that of the same base in the reverse complement of the sequence, which costs a second pass.

    Args:
        backbone: decoder, encoder or recurrent memory. Its built-in heads are available by name as well.
        heads: further heads, by name.
        tokenizer: tokenizer of the backbone, for special tokens and complements.

    Raises:
        ModelError: a name is invalid or that of a built-in head, a head was made for another width, or a head reads
            both sides of a causal backbone whose tokens have several bases.
    """

    def __init__(self, backbone: Backbone, heads: Mapping[str, Head], tokenizer: Tokenizer) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict()
        for name, head in heads.items():
            self._check(name, head)
            self.heads[name] = head
        rows = backbone.config.vocab_size
        self._bases = _padded((tokenizer.lengths != 0).astype("int64"), rows, 0)
        both = [name for name, head in heads.items() if backbone.config.causal and head.config.reads_both_sides]
        self._complement = _padded(_complements(tokenizer, both[0]), rows, -1) if both else None

    def _check(self, name: str, head: Head) -> None:
        check_head_name(name)
        if name in self.config.built_in_heads:
            raise ModelError(f"{name} is a built-in head of the backbone; give the new head another name")
        if hasattr(self.heads, name):
            raise ModelError(f"{name} is a reserved word; give the head another name")
        expected = input_width(head.config, self.config)
        if head.width != expected:
            raise ModelError(f"head {name} has the input width {head.width}, but its backbone requires {expected}")

    @property
    def config(self) -> NetworkConfig:
        """Config of the backbone."""
        return self.backbone.config

    @property
    def root(self) -> Network:
        """The decoder or encoder that holds the weights of the backbone."""
        return self.backbone.root

    @property
    def added(self) -> dict[str, Head]:
        """The added heads by name."""
        return {name: self.head(name) for name in self.heads}

    @property
    def head_configs(self) -> dict[str, HeadConfig | BuiltInHead]:
        """Config of each head by name, built-in heads first."""
        added = {name: head.config for name, head in self.added.items()}
        return {**self.config.built_in_heads, **added}

    def head(self, name: str) -> Head:
        """Return an added head.

        Raises:
            ModelError: there is no such head.
        """
        if name not in self.heads:
            raise ModelError(f"there is no added head {name!r}; there are: {', '.join(self.heads) or 'none'}")
        return self.heads[name]  # type: ignore[return-value]

    def forward(
        self, ids_BL: Tensor, *, mask_BL: Tensor | None = None, heads: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """Return the outputs of heads by name.

        Outputs of added heads are (B, L, outputs) for tokens, zero at padding, or (B, outputs) for sequences, in the
        precision of the head. Those of built-in heads are as the backbone returns them, fp32 logits (B, L, V) for
        example, and undefined at padding.

        Args:
            ids_BL: token ids, with the special tokens that the backbone expects (a recurrent memory: without). Each row
                is one sequence.
            mask_BL: True for real tokens; None if all are. Padding may be on either side.
            heads: names of heads; None for all added ones.

        Raises:
            ModelError: there is no such head, or a row has no tokens to pool.
        """
        names = list(self.heads) if heads is None else list(heads)
        if unknown := [name for name in names if name not in self.head_configs]:
            raise ModelError(f"there is no head {unknown[0]!r}; there are: {', '.join(self.head_configs) or 'none'}")
        mask_BL = torch.ones_like(ids_BL, dtype=torch.bool) if mask_BL is None else mask_BL.bool()
        added = [name for name in names if name in self.heads]
        built_in = [name for name in names if name not in self.heads]
        last = self.config.num_layers
        x_BLD, outputs = self.backbone.read(ids_BL, mask_BL, last if added else None, built_in)
        sides: dict[bool, Tensor] = {} if x_BLD is None else {False: x_BLD.masked_fill(~mask_BL[..., None], 0.0)}
        if any(self._joins(name) for name in added):
            sides[True] = self._both_sides(ids_BL, mask_BL, sides[False])
        bases_BL = self._bases.to(ids_BL.device)[ids_BL].bool() & mask_BL
        for name in added:
            outputs[name] = self._output(self.head(name), sides[self._joins(name)], mask_BL, bases_BL)
        return {name: outputs[name] for name in names}

    def _joins(self, name: str) -> bool:
        return self.config.causal and self.head(name).config.reads_both_sides

    def _both_sides(self, ids_BL: Tensor, mask_BL: Tensor, forward_BLD: Tensor) -> Tensor:
        assert self._complement is not None
        turned_BL, mirror_BL = reverse_strand(ids_BL, mask_BL, self._complement.to(ids_BL.device))
        reverse_BLD, _ = self.backbone.read(turned_BL, mask_BL, self.config.num_layers, ())
        assert reverse_BLD is not None
        return join_strands(forward_BLD, reverse_BLD.masked_fill(~mask_BL[..., None], 0.0), mirror_BL)

    @staticmethod
    def _output(head: Head, x_BLI: Tensor, mask_BL: Tensor, bases_BL: Tensor) -> Tensor:
        """Return the output of a head, which computes in the precision of its weights whatever that of the backbone."""
        with torch.autocast(x_BLI.device.type, enabled=False):
            return head(x_BLI.to(next(head.parameters()).dtype), mask_BL, bases_BL)


def _complements(tokenizer: Tokenizer, head: str) -> Tensor:
    try:
        return torch.from_numpy(complement_ids(tokenizer))
    except ModelError as error:
        raise ModelError(
            f"head {head} reads both sides of a causal backbone, which requires the reverse complement: {error}; set"
            " both_sides to false",
            code=error.code,
        ) from error


def _padded(values: object, rows: int, missing: int) -> Tensor:
    """Return values by token id as a tensor on the CPU, (rows,), for an embedding with more rows than tokens."""
    with torch.device("cpu"):
        values_V = torch.as_tensor(values)
        padded_V = torch.full((max(rows, len(values_V)),), missing)
    padded_V[: len(values_V)] = values_V
    return padded_V
