"""Config of a recurrent memory, and the segments into which a sequence is cut."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from genolm.errors import InputError, ModelError

Alignment = Literal["center", "right", "left"]
LossOf = Literal["last", "mean"]

_AROUND = 3  # [CLS], and [SEP] before and after the content


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """Recurrent memory (RMT, Bulatov et al. 2022) as GENA-LM uses it (Fishman et al. 2025).

    Attributes:
        tokens: number of memory vectors; 0 for none, which makes the segments independent of each other.
        segment: tokens per pass: ``[CLS]``, the memory, ``[SEP]``, content, ``[SEP]``.
        max_segments: longest input in segments; None for any length.
        depth: number of segment borders that gradients cross, counted from the last; -1 for all. The start of the
            memory counts as a border: it is trained only if ``depth`` reaches it, and, as published, never if
            ``max_segments`` is given and ``depth`` is smaller.
        alignment: how a sequence is cut that is not a multiple of the content: ``center`` into near-equal segments, as
            in GENA-LM; ``right``: full segments with the remainder first; ``left``: with the remainder last.
        loss: loss of sequence labels: that of the ``last`` segment or the ``mean`` over all.
        attended_padding: token id that fills each pass up to ``segment`` and is attended to like content: 0 ([UNK])
            in GENA-LM's published class for sequences, as its fine-tuned weights expect. None: no padding.
        cls_id: id of ``[CLS]``.
        sep_id: id of ``[SEP]``.

    Raises:
        ModelError: a value is invalid, or a segment has no room for content.
    """

    tokens: int = 10
    segment: int = 512
    max_segments: int | None = None
    depth: int = -1
    alignment: Alignment = "center"
    loss: LossOf = "last"
    attended_padding: int | None = None
    cls_id: int = 1
    sep_id: int = 2

    def __post_init__(self) -> None:
        for name, allowed in (("alignment", get_args(Alignment)), ("loss", get_args(LossOf))):
            if getattr(self, name) not in allowed:
                raise ModelError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if self.tokens < 0 or self.content < 1:
            raise ModelError(f"a segment of {self.segment} tokens with {self.tokens} of memory has no room for content")
        if self.max_segments is not None and self.max_segments < 1:
            raise ModelError(f"max_segments must be at least 1 or None, not {self.max_segments}")
        if self.depth < -1:
            raise ModelError(f"depth must be at least 0, or -1 (all borders), not {self.depth}")
        if min(self.cls_id, self.sep_id, self.attended_padding or 0) < 0:
            raise ModelError("ids of special tokens must not be negative")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values."""
        return asdict(self)

    @property
    def content(self) -> int:
        """Number of tokens of sequence in a full segment."""
        return self.segment - self.tokens - _AROUND

    @property
    def before(self) -> int:
        """Number of tokens of a pass before its content."""
        return self.tokens + 2

    def cuts(self, length: int) -> tuple[tuple[int, int], ...]:
        """Return the segments of a sequence of ``length`` tokens: 0-based half-open (start, stop), in order.

        An empty sequence is one empty segment.

        Raises:
            InputError: the sequence needs more segments than ``max_segments``.
        """
        count = max(1, -(-length // self.content))
        if self.max_segments is not None and count > self.max_segments:
            raise InputError(
                f"a sequence of {length:,} tokens needs {count} segments of {self.content}, but the model reads at most"
                f" {self.max_segments}: cut it, or allow more (max_segments)"
            )
        first, step = self.content, self.content
        if self.alignment == "center":
            first = step = max(1, -(-length // count))
        elif self.alignment == "right":
            first = length - (count - 1) * self.content
        edges = [0, *range(first, length, step), length]
        return tuple(pairwise(edges))
