"""DNA letters: complement, case and ambiguity codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

import numpy as np

from genolm.errors import Code, InputError
from genolm.remedies import Advice, Remedy

IupacPolicy = Literal["raise", "N", "sample", "keep"]

AMBIGUITY = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
"""Bases of each IUPAC ambiguity code except N, which every model supports."""

_PLAIN = b"ACGTNacgtn"
_AMBIGUOUS = "".join(AMBIGUITY).encode() + "".join(AMBIGUITY).lower().encode()
_LETTERS = b"ACGTURYSWKMBDHVN"
_COMPLEMENTS = b"TGCAAYRSWMKVHDBN"
_COMPLEMENT = bytes.maketrans(_LETTERS + _LETTERS.lower(), _COMPLEMENTS + _COMPLEMENTS.lower())
_TO_N = bytes.maketrans(_AMBIGUOUS, b"N" * len(_AMBIGUOUS))
_TO_FIRST = str.maketrans({letter: bases[0] for letter, bases in AMBIGUITY.items()})
_TO_DNA = bytes.maketrans(b"Uu", b"Tt")


class LetterError(InputError):
    """An invalid letter in a sequence.

    Attributes:
        letter: the letter as it was read.
        position: position in the sequence, 0-based.
    """

    default_code: ClassVar[Code] = "invalid-letter"

    def __init__(
        self,
        message: str,
        sequence: str,
        position: int,
        *,
        code: Code | None = None,
        remedy: Advice | Sequence[Advice] = (),
    ) -> None:
        self.letter, self.position = sequence[position], position
        super().__init__(message, value=self.letter, code=code, remedy=remedy)


def reverse_complement(sequence: str) -> str:
    """Return the reverse complement; the case of every letter is kept.

    IUPAC codes are complemented too (R and Y, K and M, B and V, D and H). U becomes A, so RNA gives DNA.

    Raises:
        LetterError: a letter is not a base, such as a gap.
    """
    data = _ascii(sequence)
    if foreign := data.translate(None, _LETTERS + _LETTERS.lower()):
        raise _not_a_base(sequence, foreign)
    return data.translate(_COMPLEMENT)[::-1].decode("ascii")


def upper_dna(sequence: str, *, iupac: IupacPolicy = "raise", seed: int = 0, rna: bool = False) -> str:
    """Return a sequence in upper case that consists of A, C, G, T and N (and ambiguity codes if they are kept).

    Args:
        sequence: letters in either case; white space, gaps and digits are invalid.
        iupac: treatment of ambiguity codes such as R: ``"raise"`` an error, read as ``"N"``, ``"sample"`` a matching
            base, or ``"keep"``.
        seed: random seed of ``"sample"``; the result depends only on it and the sequence.
        rna: read U as T instead of raising an error.

    Returns:
        A string of the same length.

    Raises:
        LetterError: a letter is not a base, or is an ambiguity code with ``"raise"``.
        InputError: ``iupac`` is unknown.
    """
    check_iupac(iupac)
    data = _ascii(sequence)
    if data.translate(None, _PLAIN):
        data = _resolve(sequence, data.translate(_TO_DNA) if rna else data, iupac, seed)
    return data.upper().decode("ascii")


def vcf_reference(letters: str) -> str:
    """Return upper-case letters of a genome as VCF 4.3 writes them in REF.

    An ambiguity code becomes the alphabetically first of its bases (A for R); N is kept.
    """
    return letters.translate(_TO_FIRST)


def check_iupac(policy: str, known: tuple[str, ...] = get_args(IupacPolicy)) -> None:
    """Raise `InputError` if ``policy`` is not a known treatment of ambiguity codes."""
    if policy not in known:
        raise InputError(f"iupac must be one of {', '.join(known)}", value=policy)


def _resolve(sequence: str, data: bytes, iupac: IupacPolicy, seed: int) -> bytes:
    if foreign := data.translate(None, _PLAIN + _AMBIGUOUS):
        raise _not_a_base(sequence, foreign)
    if iupac == "N":
        return data.translate(_TO_N)
    if iupac == "sample":
        return _sampled(data.upper(), seed)
    ambiguous = data.translate(None, _PLAIN)
    if iupac == "raise" and ambiguous:
        position = data.index(ambiguous[:1])
        raise LetterError(
            f"ambiguity code at position {position + 1} of the sequence",
            sequence,
            position,
            code="ambiguous-letter",
            remedy=Remedy("iupac", "N", "read it as N"),
        )
    return data


def _sampled(data: bytes, seed: int) -> bytes:
    codes = np.frombuffer(data, np.uint8).copy()
    draws = np.random.default_rng(seed).random(len(codes))
    for letter, bases in AMBIGUITY.items():
        positions = np.flatnonzero(codes == ord(letter))
        choices = np.frombuffer(bases.encode(), np.uint8)
        codes[positions] = choices[(draws[positions] * len(choices)).astype(int)]
    return codes.tobytes()


def _ascii(sequence: str) -> bytes:
    try:
        return sequence.encode("ascii")
    except UnicodeEncodeError as error:
        raise LetterError(f"not a base at position {error.start + 1} of the sequence", sequence, error.start) from None


def _not_a_base(sequence: str, foreign: bytes) -> LetterError:
    letter = foreign[:1].decode("ascii")
    position = sequence.index(letter)
    hint = "; write T for U" if letter in "Uu" else ""
    return LetterError(f"not a base at position {position + 1} of the sequence{hint}", sequence, position)
