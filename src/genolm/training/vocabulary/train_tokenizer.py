"""Byte-pair vocabularies trained on FASTA files, and reports on those there are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from genolm.errors import ModelError, ResourceError, RunError
from genolm.files.atomic import atomic_file
from genolm.files.disk import is_disk_full
from genolm.files.output_paths import refuse_replacing
from genolm.genome.sequence import reverse_complement
from genolm.models.adapters.tokenizer_files import write_tokenizer
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_report import random_bases, sequence_facts, vocabulary_facts
from genolm.tokens.bpe_training import NPolicy, train_vocabulary
from genolm.tokens.published import PUBLISHED, published
from genolm.training.vocabulary.vocabulary_corpus import Blocks, find_blocks, sample_blocks

Strands = Literal["forward", "both"]

RECORD = "training.json"
"""Beside the tokenizer: settings, files with their SHA-256, versions and the report."""

_MEASURED_BASES = 1_000_000


def train_tokenizer(
    fasta: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    vocab_size: int,
    seed: int = 0,
    bases: int = 20_000_000,
    chunk: int = 512,
    max_length: int = 64,
    strands: Strands = "forward",
    n: NPolicy = "none",
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train a byte-pair vocabulary on FASTA files and write it as a tokenizer folder.

    Blocks of 10 kb are drawn by the seed, 5 % of them (at most 1 Mb) held out for the report. Same files and settings,
    same bytes.

    Args:
        fasta: files, plain, gzip or bgzip; only A, C, G and T are trained on.
        out: the folder to write; it appears when it is complete.
        vocab_size: tokens, the five special ones and the letters included.
        seed: of the draw.
        bases: about so many bases are drawn; all there are when there are fewer.
        chunk: bases in which the blocks are given to the trainer; no piece is longer.
        max_length: longest piece in bases.
        strands: ``both`` trains on every chunk and its reverse complement.
        n: whether N is a letter, and whether runs of it have a token: ``none``, ``letter`` or ``gap``.
        overwrite: replace a tokenizer in ``out``.
        progress: called with a line that tells what is being done.

    Returns:
        What the folder's ``training.json`` holds, and the speed of encoding.

    Raises:
        InputError: FASTA files that cannot be read, hold no sequence, or too little for so many tokens.
        ModelError: sizes that contradict each other.
        RunError: ``out`` exists.
        ResourceError: no room on the disk.
    """
    files = [fasta] if isinstance(fasta, str | Path) else list(fasta)
    place, tell = Path(out), progress or (lambda told: None)
    if chunk < max_length:
        raise ModelError(f"chunks of {chunk} bases cannot have pieces of {max_length}")
    _refuse_existing(place, overwrite)
    refuse_replacing(files, place)
    tell("reading")
    drawn, held_out = sample_blocks(find_blocks(files), bases, seed)
    tell(f"training on {drawn.bases:,} bases")
    vocabulary = train_vocabulary(_chunks(drawn, chunk, strands), vocab_size, max_length=max_length, n=n)
    tell("measuring")
    measured = list(held_out.sequences()) or [random_bases()]
    facts = sequence_facts(BpeTokenizer(vocabulary), measured, seed)
    tokenizer = BpeTokenizer(vocabulary, bases_per_token=round(facts["bases_per_token"], 2))
    speed = facts.pop("megabases_per_second")
    settings = {"vocab_size": vocab_size, "seed": seed, "bases": bases, "chunk": chunk, "max_length": max_length}
    record = {
        "settings": {**settings, "strands": strands, "n": n},
        "inputs": list(drawn.inputs),
        "trained_on": {"bases": drawn.bases, "blocks": len(drawn.places_B4)},
        "versions": {name: version(name) for name in ("genolm", "tokenizers")},
        "vocabulary": vocabulary_facts(vocabulary),
        "measured_on": "held-out blocks" if len(held_out.places_B4) else "random bases",
        "sequence": facts,
    }
    _write(place, tokenizer, record)
    return {**record, "sequence": {**facts, "megabases_per_second": speed}}


def inspect_tokenizer(
    source: str | Path, fasta: Sequence[str | Path] = (), *, bases: int = _MEASURED_BASES, seed: int = 0
) -> dict[str, Any]:
    """Report on a byte-pair tokenizer: bases per token, strands, substitutions, speed.

    Args:
        source: a published vocabulary by its name, a folder with a ``tokenizer.json``, or such a file.
        fasta: sequence to measure on; random bases when there is none.
        bases: about so many bases of it are drawn.
        seed: of the draw and the substitutions.

    Raises:
        ModelError: no such tokenizer, or none of byte pairs.
        InputError: FASTA files that cannot be read or hold no sequence.
    """
    tokenizer = open_tokenizer(source)
    drawn = sample_blocks(find_blocks(fasta), bases, seed, held_out=False)[0] if fasta else None
    sequences = [random_bases()] if drawn is None else list(drawn.sequences())
    return {
        "name": str(source),
        "inputs": [] if drawn is None else list(drawn.inputs),
        "vocabulary": vocabulary_facts(tokenizer.vocabulary),
        "measured_on": "random bases" if drawn is None else "FASTA",
        "sequence": sequence_facts(tokenizer, sequences, seed),
    }


def open_tokenizer(source: str | Path) -> BpeTokenizer:
    """A byte-pair tokenizer: a published one by its name, else a folder or file.

    Raises:
        ModelError: nothing there, or no byte-pair vocabulary.
    """
    if str(source) in PUBLISHED:
        return published(str(source))
    if not Path(source).exists():
        raise ModelError(f"{source}: neither a file, nor a folder, nor one of {', '.join(PUBLISHED)}")
    return BpeTokenizer.read(source)


def _chunks(blocks: Blocks, length: int, strands: Strands) -> Iterator[str]:
    for sequence in blocks.sequences():
        for start in range(0, len(sequence), length):
            yield sequence[start : start + length]
            if strands == "both":
                yield reverse_complement(sequence[start : start + length])


def _refuse_existing(out: Path, overwrite: bool) -> None:
    if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
        return
    if not (out.exists() or out.is_symlink()):
        return
    if not overwrite:
        raise RunError(f"{out} exists; choose another folder, or --overwrite to replace it")
    if out.is_symlink() or not (out / RECORD).is_file():
        raise RunError(f"{out} holds something else than a trained tokenizer and is not replaced")


def _write(out: Path, tokenizer: BpeTokenizer, record: dict[str, Any]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as folder:
            _fill(folder, out, tokenizer, record)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror or error}") from None


def _fill(folder: Path, out: Path, tokenizer: BpeTokenizer, record: dict[str, Any]) -> None:
    try:
        folder.mkdir()
        write_tokenizer(folder, tokenizer)
        (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        if is_disk_full(error):
            raise ResourceError(f"{out}: the disk is full; nothing was written") from None
        raise
