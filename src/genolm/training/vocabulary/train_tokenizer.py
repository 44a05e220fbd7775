"""Training and inspection of byte-pair vocabularies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from genolm.errors import ModelError, ResourceError, RunError
from genolm.files.atomic import atomic_file
from genolm.files.disk import is_disk_full
from genolm.files.output_paths import refuse_replacing
from genolm.genome.labelled.fragments import as_paths
from genolm.genome.sequence import reverse_complement
from genolm.models.adapters.tokenizer_files import write_tokenizer
from genolm.parameters import AtLeast, Fasta, OutputFolder, PythonOnly, Seed, Shown
from genolm.remedies import Remedy
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_report import random_bases, sequence_facts, vocabulary_facts
from genolm.tokens.bpe_training import NPolicy, train_vocabulary
from genolm.tokens.published import PUBLISHED, published
from genolm.training.vocabulary.vocabulary_corpus import Blocks, find_blocks, sample_blocks
from genolm.verbs import verb

Strands = Literal["forward", "both"]

RECORD = "training.json"
"""File in the tokenizer folder with settings, input files and their SHA-256, versions and the report."""

_MEASURED_BASES = 1_000_000


@verb(example="genolm tokenizer train genome.fa vocabulary --vocab-size 4096")
def train_tokenizer(
    fasta: Fasta | Sequence[Fasta],
    out: OutputFolder,
    *,
    vocab_size: Annotated[int, AtLeast(10)] = 4096,
    seed: Seed = 0,
    bases: Annotated[int, AtLeast(1000)] = 20_000_000,
    max_length: Annotated[int, AtLeast(2), Shown("BASES")] = 64,
    chunk: Annotated[int, AtLeast(2), Shown("BASES")] = 512,
    strands: Strands = "forward",
    n: NPolicy = "none",
    overwrite: bool = False,
    progress: Annotated[Callable[[str], None] | None, PythonOnly()] = None,
) -> dict[str, Any]:
    """Train a BPE vocabulary on FASTA files and report on it.

    Blocks of 10 kb are sampled, 5 % of them (at most 1 Mb) for the report. Equal files and settings give equal bytes.

    Args:
        fasta: FASTA files to train on; plain, gzipped or bgzipped.
        out: Output folder; it appears when it is complete.
        vocab_size: Vocabulary size, special tokens included.
        seed: Random seed, 0 or higher.
        bases: Number of bases to sample for training.
        max_length: Maximum token length in bases.
        chunk: Cut the sequence into chunks of this many bases for training; no token spans two chunks.
        strands: Train on the sequence as given, or also on its reverse complement.
        n: N: excluded (none), a letter, or a letter with a gap token for 10 or more in a row (gap).
        overwrite: Overwrite existing output.
        progress: function that receives a line about each stage.

    Returns:
        Content of the folder's ``training.json``, and the speed of encoding.

    Raises:
        InputError: the FASTA files cannot be read, or hold too little sequence for the vocabulary.
        ModelError: the sizes contradict each other.
        RunError: ``out`` exists.
        ResourceError: the disk is full.
    """
    files = as_paths(fasta)
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


@verb(example="genolm tokenizer inspect BPE_32k genome.fa")
def inspect_tokenizer(
    tokenizer: str | Path,
    fasta: Fasta | Sequence[Fasta] = (),
    *,
    bases: Annotated[int, AtLeast(1000)] = _MEASURED_BASES,
    seed: Seed = 0,
) -> dict[str, Any]:
    """Report on a BPE tokenizer: bases per token, speed.

    Also reports how tokens change between strands and after a substitution.

    Args:
        tokenizer: Tokenizer: a published one (t2t_1000h_multi_32k or BPE_32k), a folder, or a tokenizer.json file.
        fasta: FASTA files to measure on. Default: random bases.
        bases: Number of bases to sample from the FASTA files.
        seed: Random seed, 0 or higher.

    Raises:
        ModelError: the tokenizer does not exist or is not a byte-pair tokenizer.
        InputError: the FASTA files cannot be read or contain no sequence.
    """
    opened = open_tokenizer(tokenizer)
    sample = sample_blocks(find_blocks(as_paths(fasta)), bases, seed, held_out=False)[0] if fasta else None
    sequences = [random_bases()] if sample is None else list(sample.sequences())
    return {
        "name": str(tokenizer),
        "inputs": [] if sample is None else list(sample.inputs),
        "vocabulary": vocabulary_facts(opened.vocabulary),
        "measured_on": "random bases" if sample is None else "FASTA",
        "sequence": sequence_facts(opened, sequences, seed),
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
