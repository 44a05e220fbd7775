"""Byte-pair tokenizers: those of GENA-LM and GenomeOcean, and those trained with genolm."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from tokenizers.models import BPE

from genolm.errors import InputError, ModelError
from genolm.tokens.bpe_pieces import encode_body
from genolm.tokens.bpe_vocabulary import Vocabulary
from genolm.tokens.nucleotide import AMBIGUITY, CasePolicy
from genolm.tokens.tokenizer import MASK, PAD, SEP, Ids, Tokens

RunPolicy = Literal["gap", "keep", "mask", "raise"]
UnknownPolicy = Literal["raise", "unk"]

POLICIES = ("n", "unknown", "case", "rna")
"""Settings of a :class:`BpeTokenizer` for the treatment of letters."""

GAP = -1
"""Value in :attr:`BpeTokenizer.lengths` for a token that represents a run of N of any length."""

_SHORTEST_RUN = 10  # minimum run of N for a gap token if the file has the token but no rule
_SAMPLE = 65_536  # random bases used to measure the mean token length


class _Part(NamedTuple):
    """A span of a sequence: letters to encode, or a run of N that ``tokens`` tokens of one id represent."""

    start: int
    end: int
    id: int = -1
    tokens: int = 0

    def lengths(self) -> NDArray[np.int64]:
        """Return the number of bases of each token of a run, as equal as possible."""
        return np.diff(np.arange(self.tokens + 1) * (self.end - self.start) // self.tokens)


@dataclass(frozen=True, slots=True)
class BpeTokenizer:
    """Byte-pair tokenizer.

    Special tokens are neither parsed from a sequence nor added to it, and no letter silently becomes an unknown token.
    The two strands of a sequence have different tokens, and a substitution may shift token boundaries around it.

    Args:
        vocabulary: tokens, merges and special tokens.
        n: treatment of N. ``gap``: a run of at least the published length (10) becomes one gap token, as in the
            training of GENA-LM. ``keep``: N is an ordinary letter. ``mask``: such a run of length L becomes log2(L)
            ``[MASK]`` tokens, rounded up, as in the training of GenomeOcean v1.2. ``raise``: N is an error. Default:
            ``gap`` if the vocabulary file has a rule for runs of N, else ``keep``; the attribute holds the choice.
        unknown: ``raise`` an error for a letter outside the vocabulary, or ``unk`` to follow the published file: such a
            letter becomes ``[UNK]``, a gap character the gap token, and surrounding white space is stripped if the file
            says so (the spans then tile the rest).
        case: ``upper`` reads lower case as upper case, ``raise`` rejects it, ``keep`` looks letters up unchanged.
        rna: read U as T.
        pad: name of the padding token.
        eod: name of the token that ends a document.
        bases_per_token: mean number of bases per token in the intended sequences; 0 to measure it on random sequence.

    Attributes:
        run: minimum length of a run of N that is not read letter by letter; 0 if all are.

    Raises:
        ModelError: the vocabulary lacks a token that an option requires, or an option is unknown.
    """

    vocabulary: Vocabulary
    n: RunPolicy | None = None
    unknown: UnknownPolicy = "raise"
    case: CasePolicy = "upper"
    rna: bool = False
    pad: str = PAD
    eod: str = SEP
    bases_per_token: float = 0.0
    run: int = field(init=False)
    _model: BPE = field(init=False, repr=False, compare=False)
    _lengths: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _plain: NDArray[np.bool_] = field(init=False, repr=False, compare=False)
    _names: dict[int, str] = field(init=False, repr=False, compare=False)
    _table: bytes = field(init=False, repr=False, compare=False)
    _accepted: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        vocabulary = self.vocabulary
        object.__setattr__(self, "n", self.n or ("gap" if vocabulary.gap_run else "keep"))
        self._check()
        run = (vocabulary.gap_run or _SHORTEST_RUN) if self.n == "gap" else _SHORTEST_RUN if self.n == "mask" else 0
        object.__setattr__(self, "run", run)
        model = BPE(dict(vocabulary.pieces), list(vocabulary.merges), unk_token=vocabulary.unknown)
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_lengths", self._measured_lengths())
        object.__setattr__(self, "_plain", self._plain_pieces())
        object.__setattr__(self, "_names", {number: piece for piece, number in vocabulary.pieces.items()})
        table = self._letters()
        object.__setattr__(self, "_accepted", bytes(sorted(table)))
        object.__setattr__(self, "_table", bytes(table.get(byte, byte) for byte in range(256)))
        if not self.bases_per_token:
            object.__setattr__(self, "bases_per_token", self._random_bases_per_token())

    @classmethod
    def read(
        cls,
        path: str | Path,
        n: RunPolicy | None = None,
        unknown: UnknownPolicy | None = None,
        case: CasePolicy | None = None,
        rna: bool | None = None,
    ) -> BpeTokenizer:
        """Read the tokenizer of a ``tokenizer.json`` file or of its folder.

        ``tokenizer_config.json`` in the same folder may contain ``bases_per_token``, the names of the padding and
        end-of-document tokens and, under ``genolm``, the options; explicit arguments override it.

        Args:
            path: the file or its folder.
            n: see the class.
            unknown: see the class.
            case: see the class.
            rna: see the class.

        Raises:
            ModelError: the file is missing or not supported.
        """
        file = Path(path) / "tokenizer.json" if Path(path).is_dir() else Path(path)
        given = {"n": n, "unknown": unknown, "case": case, "rna": rna}
        config = _read_config(file.with_name("tokenizer_config.json"))
        vocabulary = Vocabulary.read(file)
        return cls(vocabulary, **config | {name: value for name, value in given.items() if value is not None})

    @property
    def vocab_size(self) -> int:
        """Largest id plus one."""
        return max(self.vocabulary.pieces.values()) + 1

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self.vocabulary.special[self.pad]

    @property
    def eod_id(self) -> int:
        """Id of the token that ends a document."""
        return self.vocabulary.special[self.eod]

    @property
    def base_ids(self) -> tuple[int, int, int, int]:
        """Ids of the single bases A, C, G and T."""
        pieces = self.vocabulary.pieces
        return pieces["A"], pieces["C"], pieces["G"], pieces["T"]

    @property
    def n_id(self) -> int:
        """Id of a single N; -1 if the vocabulary has none."""
        return self.vocabulary.pieces.get("N", -1)

    @property
    def gap_id(self) -> int:
        """Id of the gap token, for a run of N; -1 if the vocabulary has none."""
        return -1 if self.vocabulary.gap is None else self.vocabulary.pieces[self.vocabulary.gap]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of bases of each id, shape (vocab_size,).

        0 for special tokens and unused ids, -1 for the token of a run of N; 1 for ``[UNK]`` if it is allowed.
        """
        return self._lengths.copy()

    @property
    def plain_ids(self) -> NDArray[np.bool_]:
        """Whether a token consists of A, C, G and T only, shape (vocab_size,)."""
        return self._plain.copy()

    def special_id(self, name: str) -> int:
        """Return the id of a special token.

        Raises:
            ModelError: the vocabulary has no special token of this name.
        """
        try:
            return self.vocabulary.special[name]
        except KeyError:
            raise ModelError(f"the vocabulary has no special token {name}") from None

    def encode(self, sequence: str) -> NDArray[np.int32]:
        """Return the token ids of a sequence, shape (tokens,), without special tokens.

        A sequence that is split at a token boundary has the same tokens in its two parts, unless the boundary is inside
        a run of N (which has several tokens with ``mask``).

        Raises:
            InputError: the sequence contains a letter that is not accepted; the message names it and its 1-based
                position.
        """
        return self._encoded(sequence)[0]

    def encode_counted(self, sequence: str) -> tuple[NDArray[np.int32], int]:
        """Return the ids of :meth:`encode` and the number of letters that were read as ``[UNK]``."""
        ids = self.encode(sequence)
        unknown = self.vocabulary.unknown
        return ids, 0 if unknown is None else int((ids == self.vocabulary.pieces[unknown]).sum())

    def spans(self, sequence: str) -> NDArray[np.int64]:
        """Return start and end of every token in the sequence, shape (tokens, 2), 0-based half-open.

        Spans tile the sequence: a gap token covers its complete run of N, several ``[MASK]`` tokens share theirs.
        """
        return self.tokens(sequence).spans_T2

    def tokens(self, sequence: str) -> Tokens:
        """Return the ids of :meth:`encode` with their :meth:`spans`."""
        ids, parts, start = self._encoded(sequence)
        lengths = self._lengths[ids]
        if runs := [part.lengths() for part in parts if part.tokens]:
            lengths[lengths == GAP] = np.concatenate(runs)
        ends = start + np.cumsum(lengths)
        return Tokens(ids, np.stack([ends - lengths, ends], axis=1))

    def decode(self, ids: Ids) -> str:
        """Return the text of the ids; special tokens and the gap token appear by name.

        Raises:
            InputError: an id is not in the vocabulary.
        """
        try:
            return "".join([self._names[number] for number in np.asarray(ids).tolist()])
        except KeyError as error:
            raise InputError("the id is not in the vocabulary", value=error.args[0]) from None

    def settings(self) -> dict[str, Any]:
        """Return the settings, without the vocabulary."""
        return {name: getattr(self, name) for name in (*POLICIES, "pad", "eod", "bases_per_token")}

    def to_json(self) -> str:
        """Return settings and the SHA-256 of the vocabulary as one line of JSON, for :meth:`from_json`."""
        values = {"type": "bpe", "vocabulary": self.vocabulary.digest, "run": self.run, **self.settings()}
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, vocabulary: Vocabulary) -> BpeTokenizer:
        """Return the tokenizer that :meth:`to_json` wrote.

        Raises:
            ModelError: the text is not the JSON of a byte-pair tokenizer, or that of another vocabulary.
        """
        try:
            settings = json.loads(text)
            if settings.pop("type") != "bpe":
                raise ValueError("wrong type of tokenizer")
            digest, run = settings.pop("vocabulary"), settings.pop("run")
            tokenizer = cls(vocabulary, **settings)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"not the JSON of a byte-pair tokenizer: {error}") from None
        if (digest, run) != (vocabulary.digest, tokenizer.run):
            raise ModelError(f"wrong vocabulary: expected {digest[:12]}…, got {vocabulary.digest[:12]}…")
        return tokenizer

    def _check(self) -> None:
        for name, allowed in (("n", RunPolicy), ("unknown", UnknownPolicy), ("case", CasePolicy)):
            if (value := getattr(self, name)) not in get_args(allowed):
                raise ModelError(f"invalid {name} {value!r}: expected one of {', '.join(get_args(allowed))}")
        if not 0 <= self.bases_per_token < math.inf:
            message = "expected a positive number, or 0 to measure it"
            raise ModelError(f"invalid bases_per_token {self.bases_per_token}: {message}")
        if missing := [name for name in (self.pad, self.eod) if name not in self.vocabulary.special]:
            raise ModelError(f"the vocabulary has no special token {missing[0]}")
        if self.n == "gap" and self.vocabulary.gap is None:
            raise ModelError("the vocabulary has no gap token for runs of N; use n='keep' or n='raise'")
        if self.n == "mask" and MASK not in self.vocabulary.special:
            raise ModelError(f"the vocabulary has no special token {MASK} for runs of N; use n='keep' or n='raise'")
        if self.unknown == "unk" and (self.vocabulary.unknown is None or self.vocabulary.joins_unknown):
            raise ModelError("the vocabulary has no token for a single unknown letter")

    def _measured_lengths(self) -> NDArray[np.int64]:
        vocabulary = self.vocabulary
        lengths = np.zeros(self.vocab_size, np.int64)
        for piece, number in vocabulary.pieces.items():
            lengths[number] = 0 if piece in vocabulary.special else len(piece)
        if vocabulary.gap is not None:
            lengths[self.gap_id] = GAP
        if self.n == "mask":
            lengths[vocabulary.special[MASK]] = GAP
        if self.unknown == "unk" and vocabulary.unknown is not None:
            lengths[vocabulary.pieces[vocabulary.unknown]] = 1
        return lengths

    def _plain_pieces(self) -> NDArray[np.bool_]:
        plain = np.zeros(self.vocab_size, bool)
        plain[[number for piece, number in self.vocabulary.pieces.items() if set(piece) <= set("ACGT")]] = True
        return plain

    def _letters(self) -> dict[int, int]:
        """Return all bytes that a sequence may contain, with the byte that each is read as."""
        letters = {piece: piece for piece in self.vocabulary.pieces if len(piece) == 1 and piece.isalpha()}
        if self.rna:
            letters.setdefault("U", "T")
        if self.n == "raise":
            letters.pop("N", None)
        if self.case == "upper":
            letters = {**{letter.lower(): read for letter, read in letters.items()}, **letters}
        table = {ord(letter): ord(read) for letter, read in letters.items() if letter.isascii()}
        if self.unknown == "raise":
            return table
        others = {byte: byte for byte in range(128)}
        if self.case == "upper":
            others |= {byte: byte - 32 for byte in range(ord("a"), ord("z") + 1)}
        refused = b"Nn" if self.n == "raise" else b""
        if self.case == "raise":
            refused += bytes(byte for byte in range(ord("a"), ord("z") + 1) if byte not in table)
        return {byte: read for byte, read in {**others, **table}.items() if byte not in refused}

    def _encoded(self, sequence: str) -> tuple[NDArray[np.int32], list[_Part], int]:
        """Return the ids, the parts that they come from, and their start in the sequence."""
        text = self._read(sequence)
        start, end = self._stripped(text)
        parts = list(self._parts(text, start, end))
        ids = [
            np.full(part.tokens, part.id, np.int32)
            if part.tokens
            else encode_body(self._model, self._lengths, text[part.start : part.end])
            for part in parts
        ]
        return np.concatenate([np.empty(0, np.int32), *ids]), parts, start

    def _read(self, sequence: str) -> str:
        """Return the sequence in letters of the vocabulary, of the same length."""
        data = sequence.encode("ascii", "replace")  # other letters become question marks, which no vocabulary has
        if refused := data.translate(None, self._accepted):
            raise self._refusal(sequence, data.index(refused[0]))
        return data.translate(self._table).decode("ascii")

    def _refusal(self, sequence: str, position: int) -> InputError:
        letter = sequence[position]
        known = self.vocabulary.pieces
        reason = "is not in the vocabulary"
        if letter.upper() == "N" and self.n == "raise":
            reason = "is an unknown base, which n='raise' refuses"
        elif letter.upper() == "N" and "N" not in known:
            reason += "; remove it, or use unknown='unk'"
        elif letter.upper() == "U" and not self.rna:
            reason += ": it is RNA; use rna=True to read it as T"
        elif letter.islower() and (self.case == "raise" or letter.upper() in known):
            reason = "is lower case; use case='upper' to read it as upper case"
        elif letter == self.vocabulary.gap:
            reason = "is the gap character, not a base"
        elif letter.upper() in AMBIGUITY:
            reason += ": this vocabulary has no ambiguity codes"
        return InputError(f"letter {letter!r} at position {position + 1} {reason}")

    def _stripped(self, text: str) -> tuple[int, int]:
        if not (self.unknown == "unk" and self.vocabulary.strips):
            return 0, len(text)
        start = len(text) - len(text.lstrip())
        return start, max(start, len(text.rstrip()))

    def _parts(self, text: str, start: int, end: int) -> Iterator[_Part]:
        """Yield the parts of ``text[start:end]`` in order: letters to encode and runs of N."""
        for match in self._gaps(text, start, end):
            if match.start() > start:
                yield _Part(start, match.start())
            start = match.end()
            if self.n == "mask" and match[0][0] == "N":
                yield _Part(*match.span(), self.vocabulary.special[MASK], (len(match[0]) - 1).bit_length())
            else:
                yield _Part(*match.span(), self.gap_id, 1)
        if end > start:
            yield _Part(start, end)

    def _gaps(self, text: str, start: int, end: int) -> Iterator[re.Match[str]]:
        patterns = []
        if self.run:
            patterns.append(f"N{{{self.run},}}")
        if self.vocabulary.gap is not None and self.unknown == "unk":
            patterns.append(re.escape(self.vocabulary.gap))
        return re.compile("|".join(patterns)).finditer(text, start, end) if patterns else iter(())

    def _random_bases_per_token(self) -> float:
        bases = np.random.RandomState(0).choice(np.frombuffer(b"ACGT", np.uint8), _SAMPLE)
        return _SAMPLE / self.encode(bases.tobytes().decode()).size


def _read_config(path: Path) -> dict[str, Any]:
    """Return the relevant settings of a ``tokenizer_config.json``; none if the file does not exist."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        policies = {name: values["genolm"][name] for name in POLICIES if name in values.get("genolm", ())}
        settings = {"bases_per_token": float(values.get("bases_per_token") or 0.0), **policies}
        names = {"pad": values.get("pad_token"), "eod": values.get("eos_token") or values.get("sep_token")}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    return {**settings, **{key: name for key, name in names.items() if isinstance(name, str)}}
