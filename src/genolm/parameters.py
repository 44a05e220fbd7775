"""Parameters of verbs: markers for the annotations of their functions, and definitions for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Literal

from genolm.errors import InputError

PYTHON_NAMES = {"models": "models_table"}
"""Verbs whose function has another name in Python: `genolm.models` is the subpackage."""


Kind = Literal["text", "path", "integer", "number", "flag"]


@dataclass(frozen=True, slots=True)
class Between:
    """Smallest and largest value of a number, both inclusive."""

    low: float | None
    high: float | None = None


AtLeast = Between


@dataclass(frozen=True, slots=True)
class Shown:
    """Placeholder of a value in the help, such as ``BASES``."""

    placeholder: str


@dataclass(frozen=True, slots=True)
class Short:
    """Short form of an option, such as ``-n``."""

    option: str


@dataclass(frozen=True, slots=True)
class Completed:
    """Kind of names that the shell completes: ``model``."""

    names: str


@dataclass(frozen=True, slots=True)
class ReplacedBy:
    """Option that replaces a positional parameter: with it, the parameter must be omitted."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Several:
    """Several values on the command line, for a type that does not say so by ``Sequence[...]``."""


@dataclass(frozen=True, slots=True)
class Single:
    """A single value on the command line, for a type that also accepts sequences in Python."""


@dataclass(frozen=True, slots=True)
class PythonOnly:
    """Parameter that the command line does not have."""


LARGEST_SEED = 2**32 - 1
"""Largest random seed, as in scikit-learn."""


Bases = Annotated[int, AtLeast(1), Shown("BASES")]


Count = Annotated[int, AtLeast(1), Shown("N")]


Fraction = Annotated[float, Between(0, 1), Shown("FRACTION")]


Seed = Annotated[int, Between(0, LARGEST_SEED), Shown("N")]


Fasta = Annotated[Path | str, Shown("FASTA")]


OutputFile = Annotated[Path | str, Shown("OUTPUT")]


KeptParts = Annotated[Path | str, Shown("PARTS")]


OutputFolder = Annotated[Path | str, Shown("FOLDER")]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Parameter of a verb.

    Attributes:
        name: name in Python.
        help: description, for Python, the command line and the documentation.
        kind: kind of value.
        choices: permitted texts.
        low: smallest number.
        high: largest number.
        several: whether several values are accepted.
        positional: whether it is positional, otherwise an option.
        required: whether there is no default.
        default: literal default; None also where the default is computed.
        shown: placeholder of the value in the help; empty for choices and flags.
        short: short form of the option.
        completes: kind of names that the shell completes.
        replaced_by: option with which this parameter is omitted.
        objects: whether Python accepts objects of other types.
        shared: whether it is an option of all runs.
    """

    name: str
    help: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    several: bool = False
    positional: bool = False
    required: bool = False
    default: str | float | bool | None = None
    shown: str = ""
    short: str = ""
    completes: str = ""
    replaced_by: str = ""
    objects: bool = False
    shared: bool = False

    @property
    def option(self) -> str:
        """Name on the command line, such as ``--min-length``."""
        return f"--{self.name.rstrip('_').replace('_', '-')}"

    @property
    def switchable(self) -> bool:
        """Whether a flag also has the form ``--no-...``."""
        return self.kind == "flag" and self.default is not False

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value, such as ``must be at least 1``; None if nothing is."""
        if value is None and not self.required:
            return None
        if self.several and isinstance(value, list | tuple):
            return next((problem for one in value if (problem := self._problem(one))), None)
        return self._problem(value)

    def _problem(self, value: object) -> str | None:
        if self.choices:
            return None if self._chosen(value) else f"must be {self._expected()}"
        if self.kind in ("integer", "number"):
            return self._numeric_problem(value)
        return None

    def _chosen(self, value: object) -> bool:
        if isinstance(value, str):
            return value in self.choices
        return self.objects or (self.kind == "integer" and _is_number(value, Integral))

    def _expected(self) -> str:
        names = ", ".join(self.choices)
        return f"an integer or {names}" if self.kind == "integer" else f"one of {names}"

    def _numeric_problem(self, value: object) -> str | None:
        if not _is_number(value, Integral if self.kind == "integer" else Real):
            return f"must be {'an integer' if self.kind == 'integer' else 'a number'}"
        low, high = self.low, self.high
        if (low is None or value >= low) and (high is None or value <= high):  # type: ignore[operator]  # a number
            return None
        return f"must be at least {low}" if high is None else f"must be between {low} and {high}"


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Verb:
    """Definition of a verb.

    Attributes:
        name: name as typed, such as ``detect train``.
        summary: first line of the description.
        details: second paragraph of the description; may be empty.
        example: a call on the command line.
        parameters: parameters of the command line, in the order of the signature.
    """

    name: str
    summary: str
    details: str
    example: str
    parameters: tuple[Parameter, ...]

    @property
    def python_name(self) -> str:
        """Name below ``genolm`` in Python, such as ``detect.train``."""
        return PYTHON_NAMES.get(self.name, self.name.replace(" ", "."))

    @property
    def takes_run_options(self) -> bool:
        """Whether the verb has the options of all runs."""
        return any(parameter.shared for parameter in self.parameters)

    def check(self, values: Mapping[str, object]) -> None:
        """Check the values of parameters by name.

        Raises:
            InputError: a value is out of range, is not one of the choices, or is not a number.
        """
        for parameter in self.parameters:
            if parameter.name in values and (problem := parameter.problem(values[parameter.name])):
                raise InputError(f"{parameter.name} {problem}", value=values[parameter.name])

    def as_json(self) -> dict[str, Any]:
        """Return the definition as plain values, without defaults of `Parameter`."""
        return {**asdict(self), "parameters": [_compact(parameter) for parameter in self.parameters]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Verb:
        """Return the definition that `as_json` wrote."""
        parameters = (
            Parameter(**{**one, "choices": tuple(one["choices"])} if "choices" in one else one)
            for one in values["parameters"]
        )
        return cls(**{**values, "parameters": tuple(parameters)})


_DEFAULTS = {field.name: repr(field.default) for field in fields(Parameter)}


def _compact(parameter: Parameter) -> dict[str, Any]:
    return {name: value for name, value in asdict(parameter).items() if repr(value) != _DEFAULTS[name]}
