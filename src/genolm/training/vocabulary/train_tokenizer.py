"""Training and inspection of byte-pair vocabularies."""

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
from genolm.remedies import Remedy
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_report import random_bases, sequence_facts, vocabulary_facts
from genolm.tokens.bpe_training import NPolicy, train_vocabulary
from genolm.tokens.published import PUBLISHED, published
from genolm.training.vocabulary.vocabulary_corpus import Blocks, find_blocks, sample_blocks

Strands = Literal["forward", "both"]

RECORD = "training.json"
"""File in the tokenizer folder with settings, input files and their SHA-256, versions and the report."""

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

    Blocks of 10 kb are sampled, 5 % of them (at most 1 Mb) for the report. Equal files and settings give equal bytes.

    Args:
        fasta: FASTA files, plain, gzip or bgzip; only A, C, G and T are used.
        out: folder to write; it appears only when it is complete.
        vocab_size: number of tokens, including the five special tokens and the letters.
        seed: random seed.
        bases: approximate number of bases to train on; fewer if the files have fewer.
        chunk: bases of the chunks that the trainer reads; no token is longer.
        max_length: maximum bases of a token.
        strands: ``both`` trains on every chunk and its reverse complement.
        n: ``none`` (no N), ``letter`` (N is a token) or ``gap`` (runs of N have tokens too).
        overwrite: replace a tokenizer in ``out``.
        progress: function that receives a line about each stage.

    Returns:
        Content of the folder's ``training.json``, and the speed of encoding.

    Raises:
        InputError: the FASTA files cannot be read, or hold too little sequence for the vocabulary.
        ModelError: the sizes contradict each other.
        RunError: ``out`` exists.
        ResourceError: the disk is full.
    """
    files = [fasta] if isinstance(fasta, str | Path) else list(fasta)
    path, report = Path(out), progress or (lambda message: None)
    if chunk < max_length:
        raise ModelError(f"chunk ({chunk}) must be at least max_length ({max_length})")
    _refuse_existing(path, overwrite)
    refuse_replacing(files, path)
    report("reading")
    sample, held_out = sample_blocks(find_blocks(files), bases, seed)
    report(f"training on {sample.bases:,} bases")
    vocabulary = train_vocabulary(_chunks(sample, chunk, strands), vocab_size, max_length=max_length, n=n)
    report("measuring")
    measured = list(held_out.sequences()) or [random_bases()]
    facts = sequence_facts(BpeTokenizer(vocabulary), measured, seed)
    tokenizer = BpeTokenizer(vocabulary, bases_per_token=round(facts["bases_per_token"], 2))
    speed = facts.pop("megabases_per_second")
    settings = {"vocab_size": vocab_size, "seed": seed, "bases": bases, "chunk": chunk, "max_length": max_length}
    record = {
        "settings": {**settings, "strands": strands, "n": n},
        "inputs": list(sample.inputs),
        "trained_on": {"bases": sample.bases, "blocks": len(sample.places_B4)},
        "versions": {name: version(name) for name in ("genolm", "tokenizers")},
        "vocabulary": vocabulary_facts(vocabulary),
        "measured_on": "held-out blocks" if len(held_out.places_B4) else "random bases",
        "sequence": facts,
    }
    _write(path, tokenizer, record)
    return {**record, "sequence": {**facts, "megabases_per_second": speed}}


def inspect_tokenizer(
    source: str | Path, fasta: Sequence[str | Path] = (), *, bases: int = _MEASURED_BASES, seed: int = 0
) -> dict[str, Any]:
    """Report on a byte-pair tokenizer: bases per token, effects of strands and substitutions, speed.

    Args:
        source: name of a published vocabulary, or path of a ``tokenizer.json`` or its folder.
        fasta: FASTA files to measure on; without any, random bases are used.
        bases: approximate number of bases to sample from them (default 1,000,000).
        seed: random seed.

    Raises:
        ModelError: the tokenizer does not exist or is not a byte-pair tokenizer.
        InputError: the FASTA files cannot be read or contain no sequence.
    """
    tokenizer = open_tokenizer(source)
    sample = sample_blocks(find_blocks(fasta), bases, seed, held_out=False)[0] if fasta else None
    sequences = [random_bases()] if sample is None else list(sample.sequences())
    return {
        "name": str(source),
        "inputs": [] if sample is None else list(sample.inputs),
        "vocabulary": vocabulary_facts(tokenizer.vocabulary),
        "measured_on": "random bases" if sample is None else "FASTA",
        "sequence": sequence_facts(tokenizer, sequences, seed),
    }


def open_tokenizer(source: str | Path) -> BpeTokenizer:
    """Open a byte-pair tokenizer: a published one by name, else a folder or file.

    Raises:
        ModelError: it does not exist or is not a byte-pair vocabulary.
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
        raise RunError(
            f"{out} exists",
            code="output-exists",
            remedy=("choose another folder", Remedy("overwrite", True, "replace it")),
        )
    if out.is_symlink() or not (out / RECORD).is_file():
        raise RunError(f"{out} is not a tokenizer folder; refusing to overwrite it", code="foreign-output")


def _write(out: Path, tokenizer: BpeTokenizer, record: dict[str, Any]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as folder:
            _fill(folder, out, tokenizer, record)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror or error}", code="unwritable-output") from None


def _fill(folder: Path, out: Path, tokenizer: BpeTokenizer, record: dict[str, Any]) -> None:
    try:
        folder.mkdir()
        write_tokenizer(folder, tokenizer)
        (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        if is_disk_full(error):
            raise ResourceError(f"{out}: the disk is full; nothing was written", code="disk-full") from None
        raise
