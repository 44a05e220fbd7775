"""Builds a corpus on disk: cleaned token shards, their document table and a manifest, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genolm.engine.interrupt import stoppable
from genolm.errors import InputError, RunError
from genolm.files.atomic import atomic_file, sweep, write_text
from genolm.files.digests import sha256_of_file
from genolm.files.locks import locked
from genolm.files.output_paths import refuse_replacing
from genolm.genome.kmers import KmerSet
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

Progress = Callable[[str], None]


def build_corpus(
    recipe: CorpusRecipe | str | Path,
    folder: str | Path,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress | None = None,
) -> Path:
    """Clean FASTA files into a folder that training maps into memory.

    Files are read twice, one contig in memory at a time besides the 28-mers of the held-out splits: first for what is
    held out, then for training, so that nothing can enter that repeats it.

    Args:
        recipe: a corpus recipe, or a YAML file or shipped recipe: a whole one, or its ``corpus`` mapping.
        folder: where to write; it appears when it is complete.
        overwrite: replace a built corpus that is there.
        shard_bytes: largest shard.
        progress: receives the name of every contig when it has been read.

    Returns:
        The folder.

    Raises:
        InputError: for a recipe or file that cannot be used; see :func:`load_corpus`.
        RunError: when ``folder`` is there and ``overwrite`` is not set, holds something else than a corpus, or is
            being built by another process.
        ResourceError: when the disk is full.
    """
    recipe = recipe if isinstance(recipe, CorpusRecipe) else read_corpus_recipe(recipe)
    folder = Path(folder)
    if recipe.built:
        raise InputError("this corpus is built already", value=recipe.built)
    if shard_bytes < 1:
        raise InputError("a shard has at least one byte", value=shard_bytes)
    _refuse_existing(folder, overwrite)
    refuse_replacing(recipe.paths(), folder)
    tokenizer = NucleotideTokenizer(iupac="N")
    cleaner = Cleaner(recipe, tokenizer)  # refuses what is wrong before anything is written
    _make_parent(folder)
    with stoppable(), _alone(folder), atomic_file(folder) as partial:
        partial.mkdir()
        _Build(recipe, tokenizer, cleaner, partial, shard_bytes, progress or (lambda _: None)).write()
        open_corpus(partial, tokenizer)  # the reader's own checks, before it takes its place
    return folder


def read_corpus_recipe(source: str | Path) -> CorpusRecipe:
    """The corpus of a YAML file or shipped recipe: a whole recipe, or its ``corpus`` mapping alone.

    Raises:
        InputError: for a file that is not there or not YAML, an unknown or missing key, a wrong value.
    """
    path, values = read_mapping(source)
    recipe: CorpusRecipe = fill(path, "corpus", CorpusRecipe, values.get("corpus", values))
    return recipe


class _Build:
    """Two passes over the files and the manifest."""

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
            tally, met = self._write_training(held_out)
            check_sources_used(mixing, met)
            self._write_manifest(tally, self._writer.finish())
        finally:
            self._writer.abandon()

    def _documents(self, tally: Tally, record: str) -> Iterator[list[Document]]:
        """The documents of each contig."""
        for assembly in self._cleaner.assemblies:
            self._contigs[assembly.name] = 0
            for contig in read_contigs(assembly, self._tokenizer):
                self._contigs[assembly.name] += 1
                yield self._cleaner.documents(contig, tally)
                self._progress(f"{record}: {assembly.name} {contig.name}")

    def _write_held_out(self) -> Iterator[Any]:
        """Writes the held-out splits, and yields the ids of every document."""
        for documents in self._documents(Tally(), "held out"):
            for document in documents:
                if document.split != TRAIN:
                    self._writer.add(document)
                    yield document.ids
        counts = self._writer.splits
        check_not_empty({name: counts.get(name, {}).get("bases", 0) for name in self._recipe.regions()})
        self._cleaner.check_regions()

    def _write_training(self, held_out: KmerSet) -> tuple[Tally, set[str]]:
        tally, sieve, met = Tally(), Sieve(self._recipe, self._tokenizer, held_out), set[str]()
        checked = Division(self._recipe.regions(), self._recipe.skip, [one.name for one in self._cleaner.assemblies])
        for documents in self._documents(tally, "training"):
            for document in sieve.keep([one for one in documents if one.split == TRAIN], tally):
                place = document.interval
                pieces = checked.divide(document.assembly.name, place.chrom, place.start, place.end)
                if any(split != TRAIN for _, _, split in pieces):
                    raise AssertionError(f"{document.assembly.name} {place} is held out and was about to be written")
                self._writer.add(document)
                met.add(document.assembly.source)
        check_not_empty({TRAIN: len(met)})
        return tally, met

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
        for one in self._cleaner.assemblies:
            record = {
                "assembly": one.name,
                "source": one.source,
                "file": one.written,
                "contigs": self._contigs[one.name],
            }
            yield {**record, "bytes": one.path.stat().st_size, "sha256": sha256_of_file(one.path)}

    def _gene_inputs(self) -> Iterator[dict[str, Any]]:
        files = dict.fromkeys(file for one in self._cleaner.assemblies for file in self._recipe.gene_files(one.name))
        for file in files:
            yield {"file": file.name, "sha256": sha256_of_file(file)}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other build may write this folder meanwhile; what a killed one left of it is swept away."""
    place = folder.with_name(f".{folder.name}.building")
    with locked(place):
        try:
            sweep(folder)
            yield
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _make_parent(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: its folder cannot be made ({error.strerror}): choose another place") from None
    if not os.access(folder.parent, os.W_OK | os.X_OK):
        raise RunError(f"{folder}: the folder {folder.parent} cannot be written")


def _refuse_existing(folder: Path, overwrite: bool) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RunError(f"{folder} is not a folder: choose another one")
    if not folder.exists():
        return
    if not overwrite:
        raise RunError(f"{folder} exists; choose another folder, or --overwrite to replace it")
    if not (folder / MANIFEST).is_file():
        raise RunError(f"{folder} holds something else than a built corpus and is not replaced")
