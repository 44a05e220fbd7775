"""The letters of DNA: complement, case, and what to do with the ambiguous ones."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from genolm.errors import InputError

IupacPolicy = Literal["raise", "N", "sample", "keep"]

AMBIGUITY = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
"""The bases each IUPAC letter stands for; N, which every model knows, is not among them."""

_PLAIN = b"ACGTNacgtn"
_AMBIGUOUS = "".join(AMBIGUITY).encode() + "".join(AMBIGUITY).lower().encode()
_LETTERS = b"ACGTURYSWKMBDHVN"
_COMPLEMENTS = b"TGCAAYRSWMKVHDBN"
_COMPLEMENT = bytes.maketrans(_LETTERS + _LETTERS.lower(), _COMPLEMENTS + _COMPLEMENTS.lower())
_TO_N = bytes.maketrans(_AMBIGUOUS, b"N" * len(_AMBIGUOUS))
_TO_FIRST = str.maketrans({letter: bases[0] for letter, bases in AMBIGUITY.items()})
_TO_DNA = bytes.maketrans(b"Uu", b"Tt")


class LetterError(InputError):
    """A letter that is no base.

    Attributes:
        letter: the letter as it was read.
        position: where it stands in the sequence, 0-based.
    """

    def __init__(self, message: str, sequence: str, position: int) -> None:
        self.letter, self.position = sequence[position], position
        super().__init__(message, value=self.letter)


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction; the case of every letter is kept.

    IUPAC letters are complemented too (R and Y, K and M, B and V, D and H); U becomes A, so RNA comes back as DNA.

    Raises:
        LetterError: a letter that is no base, such as a gap.
    """
    data = _ascii(sequence)
    if foreign := data.translate(None, _LETTERS + _LETTERS.lower()):
        raise _not_a_base(sequence, foreign)
    return data.translate(_COMPLEMENT)[::-1].decode("ascii")


def upper_dna(sequence: str, *, iupac: IupacPolicy = "raise", seed: int = 0, rna: bool = False) -> str:
    """The sequence in upper case with nothing but A, C, G, T and N in it (and IUPAC letters when they are kept).

    Args:
        sequence: letters in either case; white space, gaps and digits are never accepted.
        iupac: what happens to an ambiguous letter such as R: ``"raise"``, become ``"N"``, ``"sample"`` one of the
            bases it stands for, or ``"keep"``.
        seed: of ``"sample"``; the draw depends on this and on the sequence alone.
        rna: read U as T instead of refusing it.

    Returns:
        A text of the same length.

    Raises:
        LetterError: a letter that is no base, or an ambiguous one under ``"raise"``.
        InputError: no such policy.
    """
    check_iupac(iupac)
    data = _ascii(sequence)
    if data.translate(None, _PLAIN):
        data = _settle(sequence, data.translate(_TO_DNA) if rna else data, iupac, seed)
    return data.upper().decode("ascii")


def vcf_reference(letters: str) -> str:
    """Return what VCF 4.3 writes in REF for upper-case letters of a genome.

    An ambiguous letter becomes the first base in the alphabet that it stands for (A for R); N stays N.
    """
    return letters.translate(_TO_FIRST)


def check_iupac(policy: str, known: tuple[str, ...] = get_args(IupacPolicy)) -> None:
    """Raise `InputError` unless ``policy`` is one of the known ways to treat ambiguous letters."""
    if policy not in known:
        raise InputError(f"iupac must be one of {', '.join(known)}", value=policy)


def _settle(sequence: str, data: bytes, iupac: IupacPolicy, seed: int) -> bytes:
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
            f"ambiguous letter at position {position + 1} of the sequence; iupac='N' (--iupac N) reads it as N",
            sequence, position,
        )  # fmt: skip
    return data


def _sampled(data: bytes, seed: int) -> bytes:
    codes = np.frombuffer(data, np.uint8).copy()
    draws = np.random.default_rng(seed).random(len(codes))
    for letter, bases in AMBIGUITY.items():
        places = np.flatnonzero(codes == ord(letter))
        choices = np.frombuffer(bases.encode(), np.uint8)
        codes[places] = choices[(draws[places] * len(choices)).astype(int)]
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
