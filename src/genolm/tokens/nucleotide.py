"""Tokenizer with one token per base, used by Genos and genolm's own models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError, ModelError
from genolm.tokens.tokenizer import Ids, Tokens

IupacPolicy = Literal["raise", "N", "sample"]
CasePolicy = Literal["upper", "raise", "keep"]

GENOS: Mapping[str, int] = MappingProxyType(
    {
        **{name: number for number, name in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))},
        **{"C": 5, "G": 6, "T": 7, "A": 8, "N": 9},
        **{name: number for number, name in enumerate(("<CLS>", "<SEP>", "<EOD>", "<MASK>", "<PAD>"), start=10)},
        **{"<s>": 15, "</s>": 16, "<UNK>": 17},
    }
)
"""Vocabulary of the Genos family (symbol to id), without the padding rows of the models' embeddings."""

AMBIGUITY: Mapping[str, str] = MappingProxyType(
    {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG"}
)
"""IUPAC codes for two or three bases. N is an ordinary letter here."""

# The table maps every byte to an id or to one of two marks, so the largest valid id is 253.
_REFUSED, _SAMPLED = 255, 254
_DRAWS = 12  # a multiple of 2 and 3: a number in 0..11 is uniform over the bases of every code


@dataclass(frozen=True, slots=True)
class NucleotideTokenizer:
    """Tokenizer with one id per letter. Symbols of one character are letters; all others are special tokens.

    The alphabet is not limited to ACGTN: pass other ``symbols`` for one with ``#`` or lower-case letters.

    Args:
        symbols: symbols and their ids (0..253); must include A, C, G, T, ``pad`` and ``eod``.
        iupac: treatment of ambiguity codes such as R that are not symbols: ``raise`` an error, read them as ``N``, or
            ``sample`` a matching base. The sample depends only on ``seed``, the letter and its position, so the same
            sequence always gives the same ids.
        case: ``upper`` reads lower case as upper case, ``raise`` rejects it, ``keep`` looks letters up unchanged (for
            alphabets with lower-case symbols; otherwise lower case is rejected).
        rna: read U as T.
        seed: random seed of ``iupac="sample"``.
        pad: padding symbol.
        eod: symbol that ends a document.

    Raises:
        ModelError: the symbols are inconsistent, or an option is unknown.
    """

    symbols: Mapping[str, int] = field(default_factory=lambda: GENOS)
    iupac: IupacPolicy = "raise"
    case: CasePolicy = "upper"
    rna: bool = False
    seed: int = 0
    pad: str = "<PAD>"
    eod: str = "<EOD>"
    _table: NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", dict(self.symbols))
        self._check()
        object.__setattr__(self, "_table", self._byte_table())

    def _check(self) -> None:
        _check_choice("iupac", self.iupac, get_args(IupacPolicy))
        _check_choice("case", self.case, get_args(CasePolicy))
        needed = ["A", "C", "G", "T", self.pad, self.eod, *(["N"] if self.iupac == "N" else [])]
        if missing := [symbol for symbol in needed if symbol not in self.symbols]:
            raise ModelError(f"missing symbols in the alphabet: {', '.join(missing)}")
        if wrong := [symbol for symbol in self.symbols if not symbol.isascii() or not symbol]:
            raise ModelError(f"invalid symbol {wrong[0]!r}: expected ASCII text")
        if wrong := [symbol for symbol, number in self.symbols.items() if not 0 <= number < _SAMPLED]:
            raise ModelError(f"ids must be in 0..{_SAMPLED - 1}, but that of {wrong[0]!r} is {self.symbols[wrong[0]]}")
        if len(set(self.symbols.values())) < len(self.symbols):
            raise ModelError("two symbols have the same id")

    def _byte_table(self) -> NDArray[np.uint8]:
        letters = {symbol: number for symbol, number in self.symbols.items() if len(symbol) == 1}
        if self.rna:
            letters.setdefault("U", letters["T"])
        if self.iupac != "raise":
            replacement = self.symbols["N"] if self.iupac == "N" else _SAMPLED
            letters = {**dict.fromkeys(AMBIGUITY, replacement), **letters}
        if self.case == "upper":
            letters = {**{letter.lower(): number for letter, number in letters.items()}, **letters}
        table = np.full(256, _REFUSED, np.uint8)
        for letter, number in letters.items():
            table[ord(letter)] = number
        return table

    @property
    def vocab_size(self) -> int:
        """Largest id plus one; the Genos models pad their embeddings beyond it."""
        return max(self.symbols.values()) + 1

    @property
    def pad_id(self) -> int:
        """Id of the padding symbol."""
        return self.symbols[self.pad]

    @property
    def eod_id(self) -> int:
        """Id of the end-of-document symbol."""
        return self.symbols[self.eod]

    @property
    def base_ids(self) -> tuple[int, int, int, int]:
        """Ids of A, C, G, T."""
        return self.symbols["A"], self.symbols["C"], self.symbols["G"], self.symbols["T"]

    @property
    def n_id(self) -> int:
        """Id of N; -1 if N is not a symbol."""
        return self.symbols.get("N", -1)

    @property
    def bases_per_token(self) -> float:
        """Always 1."""
        return 1.0

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of bases of each id, shape (vocab_size,): 1 for letters, 0 for special tokens and unused ids."""
        lengths = np.zeros(self.vocab_size, np.int64)
        lengths[[number for symbol, number in self.symbols.items() if len(symbol) == 1]] = 1
        return lengths

    @property
    def plain_ids(self) -> NDArray[np.bool_]:
        """Whether an id is that of A, C, G or T, shape (vocab_size,)."""
        plain = np.zeros(self.vocab_size, bool)
        plain[list(self.base_ids)] = True
        return plain

    def special_id(self, name: str) -> int:
        """Return the id of a special token.

        Raises:
            ModelError: the alphabet has no special token of this name.
        """
        if len(name) == 1 or name not in self.symbols:
            raise ModelError(f"the alphabet has no special token {name}")
        return self.symbols[name]

    def encode(self, sequence: str) -> NDArray[np.uint8]:
        """Return one id per letter, shape (letters,), without special tokens.

        Raises:
            InputError: the sequence contains a letter that is not accepted; the message names it and its 1-based
                position.
        """
        codes = self._codes(sequence)
        ids = self._table[codes]
        if ids.size and ids.max() >= _SAMPLED:
            self._refuse(sequence, ids)
            self._sample(ids, codes)
        return ids

    def encode_counted(self, sequence: str) -> tuple[NDArray[np.uint8], int]:
        """Return the ids of :meth:`encode` and the number of ambiguity codes that were read as N or sampled.

        Letters that keep their meaning (lower case read as upper case, U as T) are not counted.
        """
        ids = self.encode(sequence)
        replaced = np.zeros(256, bool)
        replaced[[ord(letter) for code in AMBIGUITY if code not in self.symbols for letter in (code, code.lower())]] = (
            True
        )
        replaced[[ord(symbol) for symbol in self.symbols if len(symbol) == 1]] = False
        return ids, int(replaced[self._codes(sequence)].sum())

    def decode(self, ids: Ids) -> str:
        """Return the symbols of the ids as one string.

        Raises:
            InputError: an id is not in the alphabet.
        """
        names = {number: symbol for symbol, number in self.symbols.items()}
        try:
            return "".join([names[number] for number in np.asarray(ids).tolist()])
        except KeyError as error:
            raise InputError("the id is not in the alphabet", value=error.args[0]) from None

    def spans(self, sequence: str) -> NDArray[np.int64]:
        """Return start and end of every token, shape (letters, 2), 0-based half-open: (i, i + 1) for the i-th."""
        starts = np.arange(len(sequence), dtype=np.int64)
        return np.stack([starts, starts + 1], axis=1)

    def tokens(self, sequence: str) -> Tokens:
        """Return the ids of :meth:`encode` with their spans."""
        return Tokens(self.encode(sequence), self.spans(sequence))

    def to_json(self) -> str:
        """Return all settings as one line of JSON, for :meth:`from_json`."""
        names = ("iupac", "case", "rna", "seed", "pad", "eod")
        settings: dict[str, Any] = {name: getattr(self, name) for name in names}
        return json.dumps({"type": "nucleotide", "symbols": dict(self.symbols), **settings}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NucleotideTokenizer:
        """Return the tokenizer that :meth:`to_json` wrote.

        Raises:
            ModelError: the text is not the JSON of a nucleotide tokenizer.
        """
        try:
            settings = json.loads(text)
            if settings.pop("type") != "nucleotide":
                raise ValueError("wrong type of tokenizer")
            return cls(**settings)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"not the JSON of a nucleotide tokenizer: {error}") from None

    def _codes(self, sequence: str) -> NDArray[np.uint8]:
        try:
            return np.frombuffer(sequence.encode("ascii"), np.uint8)
        except UnicodeEncodeError as error:
            raise _refusal(sequence, error.start, "is not in the alphabet") from None

    def _refuse(self, sequence: str, ids: NDArray[np.uint8]) -> None:
        position = int((ids == _REFUSED).argmax())
        if ids[position] != _REFUSED:
            return
        letter = sequence[position]
        reason = "is not in the alphabet"
        if letter.upper() in AMBIGUITY and self.iupac == "raise":
            reason = "is an ambiguity code; use iupac='N' to read it as N, or iupac='sample' to sample a base"
        elif letter.upper() == "U" and not self.rna:
            reason = "is RNA; use rna=True to read it as T"
        elif letter.islower() and letter.upper() in self.symbols:
            reason = "is lower case; use case='upper' to read it as upper case"
        raise _refusal(sequence, position, reason)

    def _sample(self, ids: NDArray[np.uint8], codes: NDArray[np.uint8]) -> None:
        positions = np.flatnonzero(ids == _SAMPLED)
        draws = _mixed(positions.astype(np.uint64), self.seed) % np.uint64(_DRAWS)
        ids[positions] = self._choices()[codes[positions], draws]

    def _choices(self) -> NDArray[np.uint8]:
        choices = np.zeros((256, _DRAWS), np.uint8)
        for letter, bases in AMBIGUITY.items():
            row = [self.symbols[base] for base in bases] * (_DRAWS // len(bases))
            choices[ord(letter)] = choices[ord(letter.lower())] = row
        return choices


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ModelError(f"invalid {name} {value!r}: expected one of {', '.join(allowed)}")


def _refusal(sequence: str, position: int, reason: str) -> InputError:
    return InputError(f"letter {sequence[position]!r} at position {position + 1} {reason}")


def _mixed(values: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Return SplitMix64 of every value: a counter-based generator, independent of earlier samples."""
    step, first, second = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
    with np.errstate(over="ignore"):
        mixed = (values + np.uint64(1)) * step + np.uint64(seed & 0xFFFFFFFFFFFFFFFF) * second
        mixed = (mixed ^ (mixed >> np.uint64(30))) * first
        mixed = (mixed ^ (mixed >> np.uint64(27))) * second
        return mixed ^ (mixed >> np.uint64(31))
