"""Configs of heads and the meaning of their outputs, as stored in ``card.json``. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from genolm.errors import ModelError
from genolm.models.config_json import from_json

Unit = Literal["sequence", "token"]
LabelTask = Literal["classes", "multilabel", "regression"]
HeadPooling = Literal["mean", "first", "last"]


@dataclass(frozen=True, slots=True)
class LabelHeadConfig:
    """Head for labels of a sequence or of each token: a linear layer, or two with GELU between them.

    Attributes:
        labels: names of the outputs: classes, labels that may occur together, or numbers.
        of: what they describe: the ``sequence`` or each ``token``.
        task: ``classes`` (exactly one), ``multilabel`` (any number) or ``regression``.
        hidden: width of the hidden layer; 0 for a linear head.
        dropout: probability of dropout before each linear layer in training.
        pooling: vector of a sequence: the ``mean`` over the tokens that are bases, the ``first`` token (bidirectional
            backbones only) or the ``last``.
        both_sides: on a causal backbone, whether the head also reads the states of the reverse complement; None:
            yes for tokens, no for sequences. Bidirectional backbones read both sides anyway.
        bias: whether the last linear layer has a bias.
        units: unit of each number (``regression`` only); empty if they have none.
        means: mean of each number over the training data, added to the outputs; empty for none.
        deviations: standard deviation of each number, by which the outputs are multiplied; empty for none.

    Raises:
        ModelError: a value is invalid, or values contradict each other.
    """

    kind: ClassVar[str] = "labels"

    labels: tuple[str, ...]
    of: Unit = "sequence"
    task: LabelTask = "classes"
    hidden: int = 0
    dropout: float = 0.0
    pooling: HeadPooling = "mean"
    both_sides: bool | None = None
    bias: bool = True
    units: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_names("labels", self.labels, least=2 if self.task == "classes" else 1)
        _check_choice("of", self.of, get_args(Unit))
        _check_choice("task", self.task, get_args(LabelTask))
        _check_choice("pooling", self.pooling, get_args(HeadPooling))
        _check_sizes(self.hidden, self.dropout)
        if self.both_sides and self.of == "sequence" and self.pooling != "mean":
            raise ModelError("both_sides of a sequence head requires pooling mean")
        if self.task != "regression" and (self.units or self.means or self.deviations):
            raise ModelError("units, means and deviations belong to task regression")
        for name in ("units", "means", "deviations"):
            _check_length(name, getattr(self, name), len(self.labels))
        _check_positive("deviations", self.deviations)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.labels

    @property
    def reads_both_sides(self) -> bool:
        """Whether the head reads the reverse complement on a causal backbone."""
        return self.of == "token" if self.both_sides is None else self.both_sides


@dataclass(frozen=True, slots=True)
class TrackHeadConfig:
    """Head for tracks of signal along the sequence: the convolutional head of Genos, one value per token and track.

    A convolution to a quarter of the width (kernel 3), batch norm, GELU; one to a sixteenth (kernel 3, dilation 2),
    batch norm, GELU; one to the tracks (kernel 1); then ``softplus(logit) * softplus(scale)``.

    Attributes:
        tracks: names of the tracks.
        units: unit of each track, after the scaling is inverted; empty if not recorded.
        means: mean of the non-zero values of each track over the training data, for the scaling of
            :mod:`genolm.models.heads.track_scaling`; empty if targets are not scaled.
        squashed: whether the values of each track are also squashed; empty: all are (if there are means).
        scale_of: index of the learned scale of each track, so that the strands of a pair may share one; empty: each
            track has its own.
        dropout: probability of dropout after each GELU in training.
        both_sides: on a causal backbone, whether the head also reads the states of the reverse complement.

    Raises:
        ModelError: a value is invalid, or values contradict each other.
    """

    kind: ClassVar[str] = "tracks"

    tracks: tuple[str, ...]
    units: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    squashed: tuple[bool, ...] = ()
    scale_of: tuple[int, ...] = ()
    dropout: float = 0.1
    both_sides: bool = True

    def __post_init__(self) -> None:
        _check_names("tracks", self.tracks)
        _check_sizes(0, self.dropout)
        for name in ("units", "means", "squashed", "scale_of"):
            _check_length(name, getattr(self, name), len(self.tracks))
        _check_positive("means", self.means)
        if self.squashed and not self.means:
            raise ModelError("squashed requires the means of the tracks")
        if self.scale_of and set(self.scale_of) != set(range(max(self.scale_of) + 1)):
            raise ModelError(f"scale_of must number the scales from 0 without gaps, not {list(self.scale_of)}")

    @property
    def of(self) -> Unit:
        """Always ``token``."""
        return "token"

    @property
    def outputs(self) -> int:
        """Number of tracks."""
        return len(self.tracks)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.tracks

    @property
    def scales(self) -> tuple[int, ...]:
        """Index of the learned scale of each track."""
        return self.scale_of or tuple(range(len(self.tracks)))

    @property
    def reads_both_sides(self) -> bool:
        """Whether the head reads the reverse complement on a causal backbone."""
        return self.both_sides


@dataclass(frozen=True, slots=True)
class ProjectionHeadConfig:
    """Head that maps hidden states to vectors of another width, such as that of a text model.

    Attributes:
        width: width of the vectors.
        of: one vector for each ``token`` or for the ``sequence``.
        hidden: width of the hidden layer; 0 for a linear head.
        dropout: probability of dropout before each linear layer in training.
        pooling: as for :class:`LabelHeadConfig`.
        both_sides: as for :class:`LabelHeadConfig`.

    Raises:
        ModelError: a value is invalid.
    """

    kind: ClassVar[str] = "projection"

    width: int
    of: Unit = "token"
    hidden: int = 0
    dropout: float = 0.0
    pooling: HeadPooling = "mean"
    both_sides: bool | None = None

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ModelError(f"width must be at least 1, not {self.width}")
        _check_choice("of", self.of, get_args(Unit))
        _check_choice("pooling", self.pooling, get_args(HeadPooling))
        _check_sizes(self.hidden, self.dropout)
        if self.both_sides and self.of == "sequence" and self.pooling != "mean":
            raise ModelError("both_sides of a sequence head requires pooling mean")

    @property
    def outputs(self) -> int:
        """Width of the vectors."""
        return self.width

    @property
    def names(self) -> tuple[str, ...]:
        """No names: the dimensions of a vector have none."""
        return ()

    @property
    def units(self) -> tuple[str, ...]:
        """No units."""
        return ()

    @property
    def reads_both_sides(self) -> bool:
        """Whether the head reads the reverse complement on a causal backbone."""
        return self.of == "token" if self.both_sides is None else self.both_sides


HeadConfig: TypeAlias = LabelHeadConfig | TrackHeadConfig | ProjectionHeadConfig
"""Config of a head that is added to a backbone."""

_KINDS: Mapping[str, type[HeadConfig]] = {
    kind.kind: kind for kind in (LabelHeadConfig, TrackHeadConfig, ProjectionHeadConfig)
}


def head_from_json(values: Any, what: str = "head") -> HeadConfig:
    """Read the config that :func:`head_to_json` wrote.

    Args:
        values: JSON object.
        what: name of the head in errors.

    Raises:
        ModelError: not an object, an unknown ``kind`` or key, or a missing or invalid value.
    """
    if not isinstance(values, Mapping):
        raise ModelError(f"{what} must be a mapping, not {values!r}")
    kind = str(values.get("kind"))
    if kind not in _KINDS:
        raise ModelError(f"{what}: kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    fields = {key: value for key, value in values.items() if key != "kind"}
    try:
        return from_json(_KINDS[kind], fields, what=what)
    except TypeError as error:
        raise ModelError(f"{what}: {error}") from error


def head_to_json(config: HeadConfig) -> dict[str, Any]:
    """Return a config as plain JSON values, without empty lists and absent choices."""
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}
    return {"kind": config.kind, **{name: value for name, value in values.items() if value not in ([], None)}}


def check_head_name(name: str) -> None:
    """Raise an error unless ``name`` can name an added head and its file.

    Raises:
        ModelError: the name has other characters than letters, digits, ``-`` and ``_``.
    """
    if not name.isascii() or not name.replace("-", "a").replace("_", "a").isalnum():
        raise ModelError(f"the name of a head must consist of letters, digits, - and _, not {name!r}")


def _check_names(what: str, names: object, least: int = 1) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
        raise ModelError(f"{what} must be a tuple of names, not {names!r}")
    if len(names) < least:
        raise ModelError(f"{what} must have at least {least} names, not {len(names)}")
    if len(set(names)) < len(names):
        raise ModelError(f"{what} must differ: {next(name for name in names if names.count(name) > 1)!r} is repeated")


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ModelError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _check_sizes(hidden: int, dropout: float) -> None:
    if hidden < 0:
        raise ModelError(f"hidden must not be negative, not {hidden}")
    if not 0 <= dropout < 1:
        raise ModelError(f"dropout must be in 0..1, not {dropout}")


def _check_length(name: str, values: tuple[Any, ...], expected: int) -> None:
    if values and len(values) != expected:
        raise ModelError(f"{name} must have one value for each of the {expected} outputs, not {len(values)}")


def _check_positive(name: str, values: tuple[float, ...]) -> None:
    if not all(0 < value < math.inf for value in values):
        raise ModelError(f"{name} must be positive and finite, not {list(values)}")
