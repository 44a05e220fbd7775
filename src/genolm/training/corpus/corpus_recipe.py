"""What a corpus is made of: files, held-out regions, and one key for every rule of quality control."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.files.digests import sha256_of_file
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.interval import Interval
from genolm.training.corpus.corpus_manifest import MANIFEST, Manifest
from genolm.training.corpus.corpus_regions import is_interval
from genolm.training.recipe_file import is_number

Files = tuple[str, ...] | Mapping[str, str]
"""FASTA files as a list, or by the name of the assembly that each holds."""

_COMPRESSED = (".gz", ".bgz", ".bgzf")
_OWN_OF_BUILT = ("built", "weights")
_NOT_SAID: dict[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Assembly:
    """One FASTA file of a corpus.

    Attributes:
        name: how regions and the document table call it.
        source: the group that it is mixed in with.
        path: the file.
        written: the path as the recipe writes it.
    """

    name: str
    source: str
    path: Path
    written: str


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """Which bases are learned from, and which are kept away. One of ``fasta``, ``sources`` and ``built`` is given.

    Held-out splits keep every run of ACGT in their regions; all rules but ``min_run`` are about training alone.

    Attributes:
        fasta: FASTA files, plain, gzip or bgzip, as a list (an assembly is called by its file's name without endings)
            or by the name of the assembly; environment variables are expanded.
        held_out: regions that never enter training, one list for each split: contig names or browser intervals, of
            all assemblies or, written ``ASSEMBLY/chr22``, of one; ``ASSEMBLY/*`` is all of it. ``22`` is ``chr22``.
        skip: regions that belong to no split (overlaps, other builds of held-out sequence).
        sources: such files in named groups, to be mixed by ``weights``.
        built: a folder of ``genolm corpus build``; everything but ``weights`` then comes from it.
        weights: share of each source in what an epoch shows, relative to one another; without them, what it holds.
        strand: ``random`` for each piece of an epoch, ``forward``, ``both`` in every epoch, or the probability of the
            reverse complement.
        min_contig: shortest contig that is trained on, in bases.
        min_run: shortest document, in bases.
        longest_n_run: a longer run of N ends a document, a shorter one stays in it as N; 0 breaks at every N.
        longest_soft_masked: a longer stretch of lower case is cut out and ends a document; null keeps all.
        max_soft_masked: a document with a larger share of lower case is dropped.
        drop_duplicates: whether a contig whose training bases equal those of an earlier one, on either strand, is
            dropped.
        near_duplicates: a contig is dropped when more than this share of its sketch of 28-mers stands in contigs
            before it; 1 keeps all.
        genes: GTF or GFF3 files, as a list for all assemblies or by assembly; an assembly without genes is not cut.
        gene_distance: bases that are farther from every gene are dropped; null keeps all.
        leak_fraction: a kilobase of training sequence is dropped when more than this share of its 28-mers stands in
            the held-out sequence.
    """

    fasta: Files = ()
    held_out: dict[str, tuple[str, ...]] = field(default_factory=lambda: _NOT_SAID)
    skip: tuple[str, ...] = ()
    sources: dict[str, Files] = field(default_factory=dict)
    built: str = ""
    weights: dict[str, float] = field(default_factory=dict)
    strand: str | float = "random"
    min_contig: int = 0
    min_run: int = 200
    longest_n_run: int = 0
    longest_soft_masked: int | None = None
    max_soft_masked: float = 1.0
    drop_duplicates: bool = True
    near_duplicates: float = 1.0
    genes: Files = ()
    gene_distance: int | None = None
    leak_fraction: float = 0.5

    def __post_init__(self) -> None:
        self._check_files()
        self._check_origin()
        if self.held_out is _NOT_SAID:
            object.__setattr__(self, "held_out", {})
        self._check_regions()
        self._check_numbers()
        self._check_weights()
        if bool(self.genes) != (self.gene_distance is not None):
            raise InputError("genes and gene_distance are given together")

    def _check_files(self) -> None:
        for name in ("sources", "weights"):
            if not isinstance(getattr(self, name), Mapping):
                raise InputError(f"{name} is a mapping by the names of sources", value=getattr(self, name))
        for name, files in {**self.sources, "fasta": self.fasta, "genes": self.genes}.items():
            items = list(files.values()) if isinstance(files, Mapping) else files
            if not isinstance(items, tuple | list) or not all(isinstance(item, str) and item for item in items):
                raise InputError(f"{name} is a list of files, or a mapping of assemblies to files", value=files)

    def _check_origin(self) -> None:
        given = [name for name in ("fasta", "sources", "built") if getattr(self, name)]
        if len(given) != 1:
            raise InputError(f"a corpus has one of fasta, sources and built, not {' and '.join(given) or 'none'}")
        if self.built:
            defaults = CorpusRecipe.__dataclass_fields__
            for name, item in defaults.items():
                empty = {} if name in ("held_out", "sources") else item.default
                if name not in _OWN_OF_BUILT and getattr(self, name) not in (None, empty):
                    raise InputError(f"{name} of a built corpus stands in its folder, not in the recipe", value=name)
        elif self.held_out is _NOT_SAID:
            raise InputError("corpus lacks the key held_out; {} holds nothing out")

    def _check_regions(self) -> None:
        if not isinstance(self.held_out, dict):
            raise InputError("held_out is a mapping of splits to lists of regions", value=self.held_out)
        for split, texts in [*self.held_out.items(), ("skip", self.skip)]:
            if not isinstance(texts, tuple | list) or not all(isinstance(text, str) and text for text in texts):
                raise InputError(f"{split} is a list of regions, each a text", value=texts)
            for text in texts:
                if is_interval(text):
                    Interval.parse(text)
            if split != "skip" and (not str(split).isidentifier() or split == "train"):
                raise InputError("a held-out split is called by one word, and not train", value=split)

    def _check_numbers(self) -> None:
        for name in ("min_contig", "longest_n_run", "longest_soft_masked", "gene_distance"):
            self._check_whole(name, 0)
        self._check_whole("min_run", 1)
        for name in ("max_soft_masked", "near_duplicates", "leak_fraction"):
            if not is_number(share := getattr(self, name)) or not 0 <= share <= 1:
                raise InputError(f"{name} is a share from 0 to 1", value=share)
        if self.strand not in ("random", "forward", "both") and not (
            is_number(self.strand) and 0 <= float(self.strand) <= 1
        ):
            raise InputError("strand is random, forward, both, or a probability", value=self.strand)

    def _check_whole(self, name: str, low: int) -> None:
        value = getattr(self, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < low):
            raise InputError(f"{name} is a whole number of at least {low}", value=value)

    def _check_weights(self) -> None:
        for name, weight in self.weights.items():
            if not is_number(weight) or not 0 < weight < float("inf"):
                raise InputError(f"the weight of {name} is a number above 0", value=weight)
        if self.weights and not self.built:
            check_sources(self.weights, tuple(self.sources))

    def regions(self) -> dict[str, tuple[str, ...]]:
        """The held-out regions by split; of a built corpus, those of its manifest."""
        return Manifest.read_from(Path(self.built)).held_out() if self.built else dict(self.held_out)

    def manifest_sha256(self) -> str:
        """What tells a built corpus from any other; empty where there is none."""
        if not self.built:
            return ""
        Manifest.read_from(Path(self.built))  # refuses what is no corpus
        return sha256_of_file(Path(self.built) / MANIFEST)

    def paths(self) -> tuple[Path, ...]:
        """The FASTA files; an InputError for one that is not there."""
        return tuple(assembly.path for assembly in self.assemblies())

    def assemblies(self) -> tuple[Assembly, ...]:
        """The FASTA files with their names, in the recipe's order.

        Raises:
            InputError: a file that is not there, or two assemblies of one name.
        """
        sources: Mapping[str, Files] = self.sources or {"all": self.fasta}
        result = [Assembly(n, s, p, w) for s, files in sources.items() for n, p, w in _named(files, "FASTA")]
        for number, assembly in enumerate(result):
            if any(other.name == assembly.name for other in result[:number]):
                message = "two assemblies have this name; name them in the recipe, as in {first: a.fa, second: b.fa}"
                raise InputError(message, value=assembly.name)
        return tuple(result)

    def gene_files(self, assembly: str) -> tuple[Path, ...]:
        """The files with the genes of an assembly; none where all of it is kept.

        Raises:
            InputError: a file that is not there, or named for an assembly that the corpus lacks.
        """
        if isinstance(self.genes, Mapping):
            known = {one.name for one in self.assemblies()}
            if wrong := [name for name in self.genes if name not in known]:
                raise InputError("genes are given for an assembly that the corpus lacks", value=wrong[0])
        named = list(_named(self.genes, "file of genes"))
        return tuple(path for name, path, _ in named if not isinstance(self.genes, Mapping) or name == assembly)


def check_sources(weights: Mapping[str, float], sources: tuple[str, ...]) -> None:
    """Raises an InputError unless there is a weight for each source and for nothing else."""
    if wrong := sorted(set(weights) ^ set(sources)):
        raise InputError(
            f"weights name each source once; the sources are {', '.join(sources) or 'not named'}", value=wrong[0]
        )


def _named(files: Files, what: str) -> Iterator[tuple[str, Path, str]]:
    """Name, path and the path as it was written."""
    pairs: Any = files.items() if isinstance(files, Mapping) else ((None, text) for text in files)
    for name, text in pairs:
        path = Path(os.path.expandvars(text))
        if not path.is_file():
            raise InputError(f"the recipe's {what} is not there", file=path)
        yield name or _stem(path), path, text


def _stem(path: Path) -> str:
    name = path.name
    while name.lower().endswith(_COMPRESSED):
        name = name[: name.rindex(".")]
    suffix = uncompressed_suffix(path)
    return name[: -len(suffix)] if suffix and len(name) > len(suffix) else name
