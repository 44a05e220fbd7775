"""Building of corpora on disk: cleaned token shards, a document table and a manifest, written atomically."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from genolm.engine.interrupt import stoppable
from genolm.errors import InputError, RunError
from genolm.files.atomic import atomic_file, sweep, write_text
from genolm.files.digests import file_sha256
from genolm.files.locks import locked
from genolm.files.output_paths import refuse_replacing
from genolm.genome.kmers import KmerSet
from genolm.parameters import OutputFolder, PythonOnly
from genolm.remedies import Remedy
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.corpus import check_not_empty, check_sources_used, mixing_of
from genolm.training.corpus.corpus_manifest import MANIFEST, Manifest, plain
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.corpus_regions import TRAIN, Division
from genolm.training.corpus.corpus_shards import SHARD_BYTES, ShardWriter
from genolm.training.corpus.documents import Cleaner, Document, Sieve, read_contigs
from genolm.training.corpus.masked_bases import Tally
from genolm.training.corpus.reading import open_corpus
from genolm.training.recipe_file import fill, read_mapping
from genolm.verbs import verb

Progress = Callable[[str], None]


@verb(example="genolm corpus build recipe.yaml corpus")
def build_corpus(
    recipe: CorpusRecipe | str | Path,
    out: OutputFolder,
    *,
    overwrite: bool = False,
    shard_bytes: Annotated[int, PythonOnly()] = SHARD_BYTES,
    progress: Annotated[Progress | None, PythonOnly()] = None,
) -> Path:
    """Build a training corpus from FASTA files.

    Cleans the sequences, separates held-out ones, and writes token shards and a table of documents.

    Training maps the corpus folder into memory. Files are read twice, one contig in memory at a time in addition to the
    28-mers of the held-out splits: first for the held-out splits, then for training, so that repeated held-out sequence
    can be excluded.

    Args:
        recipe: Corpus recipe: a YAML file (a corpus, or a training recipe with a `corpus` section), or the name of a
            recipe that ships with genolm.
        out: Output folder; it appears when it is complete.
        overwrite: Overwrite an existing corpus.
        shard_bytes: maximum bytes of a shard (default 256 MiB).
        progress: function that receives the name of every contig that was read.

    Returns:
        Path of the folder.

    Raises:
        InputError: the recipe or a file is invalid; see :func:`load_corpus`.
        RunError: ``folder`` exists and ``overwrite`` is not set, or it is not a corpus folder, or another process is
            building it.
        ResourceError: the disk is full.
    """
    recipe = recipe if isinstance(recipe, CorpusRecipe) else read_corpus_recipe(recipe)
    folder = Path(out)
    if recipe.built:
        raise InputError("the corpus of this recipe is already built", value=recipe.built)
    if shard_bytes < 1:
        raise InputError("shard_bytes must be at least 1", value=shard_bytes)
    _refuse_existing(folder, overwrite)
    refuse_replacing(recipe.paths(), folder)
    tokenizer = NucleotideTokenizer(iupac="N")
    cleaner = Cleaner(recipe, tokenizer)  # raises errors before anything is written
    _make_parent(folder)
    with stoppable(), _exclusive(folder), atomic_file(folder) as partial:
        partial.mkdir()
        _Build(recipe, tokenizer, cleaner, partial, shard_bytes, progress or (lambda _: None)).write()
        open_corpus(partial, tokenizer)  # verify it with the reader's checks before it is moved into place
    return folder


def read_corpus_recipe(source: str | Path) -> CorpusRecipe:
    """Read the corpus of a YAML file or shipped recipe: a complete recipe, or its ``corpus`` mapping.

    Raises:
        InputError: the file does not exist or is not YAML, a key is unknown or missing, or a value is invalid.
    """
    path, values = read_mapping(source)
    recipe: CorpusRecipe = fill(path, "corpus", CorpusRecipe, values.get("corpus", values))
    return recipe


class _Build:
    """Build of a corpus in two passes over the files."""

    def __init__(
        self,
        recipe: CorpusRecipe,
        tokenizer: NucleotideTokenizer,
        cleaner: Cleaner,
        folder: Path,
        shard_bytes: int,
        progress: Progress,
    ) -> None:
        self._recipe, self._tokenizer, self._cleaner, self._folder = recipe, tokenizer, cleaner, folder
        self._writer = ShardWriter(folder, str(recipe.strand), shard_bytes)
        self._progress = progress
        self._contigs: dict[str, int] = {}

    def write(self) -> None:
        try:
            sources = tuple(dict.fromkeys(assembly.source for assembly in self._cleaner.assemblies))
            mixing = mixing_of(sources, self._recipe.weights, self._recipe.strand)
            held_out = KmerSet(self._write_held_out(), self._tokenizer.base_ids)
            tally, used_sources = self._write_training(held_out)
            check_sources_used(mixing, used_sources)
            self._write_manifest(tally, self._writer.finish())
        finally:
            self._writer.abandon()

    def _documents(self, tally: Tally, stage: str) -> Iterator[list[Document]]:
        """Yield the documents of each contig."""
        for assembly in self._cleaner.assemblies:
            self._contigs[assembly.name] = 0
            for contig in read_contigs(assembly, self._tokenizer):
                self._contigs[assembly.name] += 1
                yield self._cleaner.documents(contig, tally)
                self._progress(f"{stage}: {assembly.name} {contig.name}")

    def _write_held_out(self) -> Iterator[Any]:
        """Write the held-out splits, and yield the ids of every document."""
        for documents in self._documents(Tally(), "held out"):
            for document in documents:
                if document.split != TRAIN:
                    self._writer.add(document)
                    yield document.ids
        counts = self._writer.splits
        check_not_empty({name: counts.get(name, {}).get("bases", 0) for name in self._recipe.regions()})
        self._cleaner.check_regions()

    def _write_training(self, held_out: KmerSet) -> tuple[Tally, set[str]]:
        tally, sieve, used_sources = Tally(), Sieve(self._recipe, self._tokenizer, held_out), set[str]()
        names = [assembly.name for assembly in self._cleaner.assemblies]
        division = Division(self._recipe.regions(), self._recipe.skip, names, self._cleaner.synonyms)
        for documents in self._documents(tally, "training"):
            for document in sieve.keep([document for document in documents if document.split == TRAIN], tally):
                span = document.interval
                pieces = division.divide(document.assembly.name, span.chrom, span.start, span.end)
                if any(split != TRAIN for _, _, split in pieces):
                    raise AssertionError(f"{document.assembly.name} {span} is held out and was about to be written")
                self._writer.add(document)
                used_sources.add(document.assembly.source)
        check_not_empty({TRAIN: len(used_sources)})
        return tally, used_sources

    def _write_manifest(self, tally: Tally, documents: dict[str, Any]) -> None:
        manifest = Manifest(
            options=plain(asdict(self._recipe)),
            tokenizer=json.loads(self._tokenizer.to_json()),
            inputs=[*self._fasta_inputs(), *self._gene_inputs()],
            splits=self._writer.splits,
            read={"bases": tally.read, "contigs": tally.contigs_read},
            dropped=tally.to_dict(),
            shards=self._writer.shards,
            documents=documents,
        )
        write_text(self._folder / MANIFEST, manifest.to_json())

    def _fasta_inputs(self) -> Iterator[dict[str, Any]]:
        for item in self._cleaner.assemblies:
            contigs = self._contigs[item.name]
            record: dict[str, Any] = {
                "assembly": item.name,
                "source": item.source,
                "file": item.written,
                "contigs": contigs,
            }
            if aliases := self._cleaner.aliases(item.name):
                record["aliases"] = aliases
            yield {**record, "bytes": item.path.stat().st_size, "sha256": file_sha256(item.path)}

    def _gene_inputs(self) -> Iterator[dict[str, Any]]:
        files = dict.fromkeys(file for item in self._cleaner.assemblies for file in self._recipe.gene_files(item.name))
        for file in files:
            yield {"file": file.name, "sha256": file_sha256(file)}


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Exclude other builds of this folder, and remove leftovers of killed ones."""
    lock = folder.with_name(f".{folder.name}.building")
    with locked(lock):
        try:
            sweep(folder)
            yield
        finally:
            shutil.rmtree(lock, ignore_errors=True)


def _make_parent(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{folder}: its parent cannot be created ({error.strerror}): choose another folder",
            code="unwritable-output",
        ) from None
    if not os.access(folder.parent, os.W_OK | os.X_OK):
        raise RunError(f"{folder}: the folder {folder.parent} cannot be written", code="unwritable-output")


def _refuse_existing(folder: Path, overwrite: bool) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RunError(f"{folder} is not a folder: choose another one", code="unwritable-output")
    if not folder.exists():
        return
    if not overwrite:
        raise RunError(
            f"{folder} exists",
            code="output-exists",
            remedy=("choose another folder", Remedy("overwrite", True, "replace it")),
        )
    if not (folder / MANIFEST).is_file():
        raise RunError(f"{folder} is not a corpus folder; refusing to overwrite it", code="foreign-output")
