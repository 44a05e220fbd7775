"""Byte-pair tokens: the vocabularies of GENA-LM and GenomeOcean, and those that genolm trains."""

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
"""The settings of a :class:`BpeTokenizer` that say how it reads letters."""

GAP = -1
"""Length in :attr:`BpeTokenizer.lengths` of a token that stands for a run of N: it depends on the run."""

_SHORTEST_RUN = 10  # of N that becomes a gap where a file names the token but no rule
_SAMPLE = 65_536  # bases on which the mean length of a token is measured


class _Part(NamedTuple):
    """A stretch of a sequence: a body of letters, or a run of N that ``tokens`` tokens of one id stand for."""

    start: int
    end: int
    id: int = -1
    tokens: int = 0

    def lengths(self) -> NDArray[np.int64]:
        """Bases of each of the tokens of a run, as equal as they can be."""
        return np.diff(np.arange(self.tokens + 1) * (self.end - self.start) // self.tokens)


@dataclass(frozen=True, slots=True)
class BpeTokenizer:
    """Pieces of several bases, joined by a table of merges.

    Special tokens are never read out of a sequence and never added to one. Nothing becomes an unknown token in silence.
    The two strands of a sequence have different tokens, and one substitution may move the borders around it.

    Args:
        vocabulary: pieces, merges and special tokens.
        n: runs of N of the published length (10) and more become one ``gap`` token, the way GENA-LM was trained;
            ``keep`` reads N like any letter; ``mask`` makes such a run of length L into log2(L) ``[MASK]`` tokens,
            rounded up, the way GenomeOcean v1.2 was trained; ``raise`` refuses N. None chooses ``gap`` where the
            vocabulary's file has a rule about runs of N, else ``keep``; the attribute holds the choice.
        unknown: ``raise`` at a letter that the vocabulary lacks. ``unk`` reads everything as the published file does:
            such a letter as ``[UNK]``, a gap sign as the gap token, and white space around the text is dropped where
            the file says so (the spans then tile what is left).
        case: ``upper`` reads lower case as upper case, ``raise`` refuses it, ``keep`` looks letters up as they stand.
        rna: read U as T.
        pad: name of the special token that fills batches.
        eod: name of the special token that ends a document.
        bases_per_token: mean length of a token in the sequence the vocabulary is meant for; 0 to measure it on
            random bases.

    Attributes:
        run: the shortest run of N that is not read letter by letter; 0 where all are.

    Raises:
        ModelError: the vocabulary has no token that a policy needs, or a policy is unknown.
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
        """The tokenizer of a ``tokenizer.json``, or of the folder it stands in.

        ``tokenizer_config.json`` beside it may tell ``bases_per_token``, the names of the tokens that pad and end, and
        under ``genolm`` the policies; what is given here goes before.

        Args:
            path: the file or its folder.
            n: as in the class.
            unknown: as in the class.
            case: as in the class.
            rna: as in the class.

        Raises:
            ModelError: no such file, or one that genolm does not read.
        """
        file = Path(path) / "tokenizer.json" if Path(path).is_dir() else Path(path)
        given = {"n": n, "unknown": unknown, "case": case, "rna": rna}
        told = _told(file.with_name("tokenizer_config.json"))
        vocabulary = Vocabulary.read(file)
        return cls(vocabulary, **told | {name: value for name, value in given.items() if value is not None})

    @property
    def vocab_size(self) -> int:
        """Largest id plus one."""
        return max(self.vocabulary.pieces.values()) + 1

    @property
    def pad_id(self) -> int:
        """Id of the token that fills batches."""
        return self.vocabulary.special[self.pad]

    @property
    def eod_id(self) -> int:
        """Id of the token that ends a document."""
        return self.vocabulary.special[self.eod]

    @property
    def base_ids(self) -> tuple[int, int, int, int]:
        """Ids of the single bases A, C, G, T."""
        pieces = self.vocabulary.pieces
        return pieces["A"], pieces["C"], pieces["G"], pieces["T"]

    @property
    def n_id(self) -> int:
        """Id of a single N; -1 where the vocabulary has none."""
        return self.vocabulary.pieces.get("N", -1)

    @property
    def gap_id(self) -> int:
        """Id of the token that stands for a run of N; -1 where the vocabulary has none."""
        return -1 if self.vocabulary.gap is None else self.vocabulary.pieces[self.vocabulary.gap]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bases that each id stands for, shape (vocab_size,).

        0 for special tokens and ids without a token, -1 for the token of a run of N; ``[UNK]`` is one letter where it
        is allowed.
        """
        return self._lengths.copy()

    @property
    def plain_ids(self) -> NDArray[np.bool_]:
        """True at ids whose letters are A, C, G and T alone, shape (vocab_size,)."""
        return self._plain.copy()

    def special_id(self, name: str) -> int:
        """Id of the special token ``name``.

        Raises:
            ModelError: when the vocabulary has no special token of that name.
        """
        try:
            return self.vocabulary.special[name]
        except KeyError:
            raise ModelError(f"the vocabulary has no special token {name}") from None

    def encode(self, sequence: str) -> NDArray[np.int32]:
        """Token ids of the sequence, shape (tokens,), without special tokens.

        A sequence cut at a border between two tokens has the same tokens in its two parts, unless the cut is inside a
        run of N: with ``mask`` that is several tokens.

        Raises:
            InputError: at the first letter that the policies refuse; names it and its 0-based position.
        """
        return self._encoded(sequence)[0]

    def encode_counted(self, sequence: str) -> tuple[NDArray[np.int32], int]:
        """The ids of :meth:`encode`, and how many letters were read as ``[UNK]``."""
        ids = self.encode(sequence)
        unknown = self.vocabulary.unknown
        return ids, 0 if unknown is None else int((ids == self.vocabulary.pieces[unknown]).sum())

    def spans(self, sequence: str) -> NDArray[np.int64]:
        """Bases that every token covers: shape (tokens, 2), start and end, 0-based half-open in the sequence.

        They tile the sequence: a gap token covers its whole run, several ``[MASK]`` tokens share theirs.
        """
        return self.tokens(sequence).spans_T2

    def tokens(self, sequence: str) -> Tokens:
        """The ids of :meth:`encode` with their :meth:`spans`."""
        ids, parts, start = self._encoded(sequence)
        lengths = self._lengths[ids]
        if runs := [part.lengths() for part in parts if part.tokens]:
            lengths[lengths == GAP] = np.concatenate(runs)
        ends = start + np.cumsum(lengths)
        return Tokens(ids, np.stack([ends - lengths, ends], axis=1))

    def decode(self, ids: Ids) -> str:
        """The pieces of the ids, joined; special tokens and the gap token appear by their names.

        Raises:
            InputError: at the first id that names no token.
        """
        try:
            return "".join([self._names[number] for number in np.asarray(ids).tolist()])
        except KeyError as error:
            raise InputError("this id names no token of the vocabulary", value=error.args[0]) from None

    def settings(self) -> dict[str, Any]:
        """The policies, without the vocabulary."""
        return {name: getattr(self, name) for name in (*POLICIES, "pad", "eod", "bases_per_token")}

    def to_json(self) -> str:
        """Policies and the SHA-256 of the vocabulary as one line of JSON, for :meth:`from_json`."""
        values = {"type": "bpe", "vocabulary": self.vocabulary.digest, "run": self.run, **self.settings()}
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, vocabulary: Vocabulary) -> BpeTokenizer:
        """The tokenizer that :meth:`to_json` wrote, with its vocabulary.

        Raises:
            ModelError: when the text is not the JSON of a byte-pair tokenizer, or of one with another vocabulary.
        """
        try:
            settings = json.loads(text)
            if settings.pop("type") != "bpe":
                raise ValueError("another type of tokenizer")
            digest, run = settings.pop("vocabulary"), settings.pop("run")
            made = cls(vocabulary, **settings)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"not the JSON of a byte-pair tokenizer: {error}") from None
        if (digest, run) != (vocabulary.digest, made.run):
            raise ModelError(f"written for the vocabulary {digest[:12]}…, this is {vocabulary.digest[:12]}…")
        return made

    def _check(self) -> None:
        for name, allowed in (("n", RunPolicy), ("unknown", UnknownPolicy), ("case", CasePolicy)):
            if (value := getattr(self, name)) not in get_args(allowed):
                raise ModelError(f"{name} must be one of {', '.join(get_args(allowed))}, not {value!r}")
        if not 0 <= self.bases_per_token < math.inf:
            raise ModelError(f"bases_per_token is a number above 0 (0 to measure it), not {self.bases_per_token}")
        if lacking := [name for name in (self.pad, self.eod) if name not in self.vocabulary.special]:
            raise ModelError(f"the vocabulary has no special token {lacking[0]}")
        if self.n == "gap" and self.vocabulary.gap is None:
            raise ModelError("the vocabulary has no token for a run of N; choose n='keep' or n='raise'")
        if self.n == "mask" and MASK not in self.vocabulary.special:
            raise ModelError(f"the vocabulary has no special token {MASK} for a run of N; choose n='keep' or n='raise'")
        if self.unknown == "unk" and (self.vocabulary.unknown is None or self.vocabulary.joins_unknown):
            raise ModelError("the vocabulary has no token that stands for one unknown letter")

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
        """Every byte that may stand in a sequence, and the byte it is read as."""
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
        """Ids, the parts they come from, and where in the sequence they begin."""
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
        """The sequence in letters of the vocabulary, one for one."""
        data = sequence.encode("ascii", "replace")  # other letters as question marks, which no vocabulary has
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
            reason += ", which has no letter for an unknown base; leave it out, or choose unknown='unk'"
        elif letter.upper() == "U" and not self.rna:
            reason += ": it is RNA; choose to read it as T (rna=True)"
        elif letter.islower() and (self.case == "raise" or letter.upper() in known):
            reason = "is lower case; choose to read it as upper case (case='upper')"
        elif letter == self.vocabulary.gap:
            reason = "is the sign of a gap and no base"
        elif letter.upper() in AMBIGUITY:
            reason += ": it is an ambiguity code that this vocabulary lacks"
        return InputError(f"letter {letter!r} at position {position + 1} {reason}")

    def _stripped(self, text: str) -> tuple[int, int]:
        if not (self.unknown == "unk" and self.vocabulary.strips):
            return 0, len(text)
        start = len(text) - len(text.lstrip())
        return start, max(start, len(text.rstrip()))

    def _parts(self, text: str, start: int, end: int) -> Iterator[_Part]:
        """Bodies and runs that make up ``text[start:end]``, in their order."""
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


def _told(path: Path) -> dict[str, Any]:
    """What a ``tokenizer_config.json`` says that concerns us; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        policies = {name: values["genolm"][name] for name in POLICIES if name in values.get("genolm", ())}
        told = {"bases_per_token": float(values.get("bases_per_token") or 0.0), **policies}
        names = {"pad": values.get("pad_token"), "eod": values.get("eos_token") or values.get("sep_token")}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    return {**told, **{key: name for key, name in names.items() if isinstance(name, str)}}
