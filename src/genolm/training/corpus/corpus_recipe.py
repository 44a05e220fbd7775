"""Recipe of a corpus: files, held-out regions, and quality-control rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.interval import Interval
from genolm.training.corpus.corpus_manifest import MANIFEST, Manifest
from genolm.training.corpus.corpus_regions import is_interval
from genolm.training.recipe_file import is_number

Files = tuple[str, ...] | Mapping[str, str]
"""FASTA files as a list, or by assembly name."""

_COMPRESSED = (".gz", ".bgz", ".bgzf")
_KEYS_WITH_BUILT = ("built", "weights")
_UNSET: dict[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Assembly:
    """FASTA file of a corpus.

    Attributes:
        name: name in regions and in the document table.
        source: group of the assembly, for mixing.
        path: path of the file.
        written: path as the recipe writes it.
    """

    name: str
    source: str
    path: Path
    written: str


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """Training and held-out sequence of a corpus. Exactly one of ``fasta``, ``sources`` and ``built`` must be given.

    Held-out splits keep every run of ACGT in their regions; all rules but ``min_run`` apply to training only.

    Attributes:
        fasta: FASTA files, plain, gzip or bgzip: a list (an assembly is named by its file without suffixes), or a
            mapping of assembly names to files; environment variables are expanded.
        held_out: held-out regions by split: contig names or browser intervals, for all assemblies or, as
            ``ASSEMBLY/chr22``, for one; ``ASSEMBLY/*`` is all of it. ``22`` and ``chr22`` are equal.
        skip: regions that belong to no split (overlaps, or held-out sequence in other builds).
        sources: FASTA files in named groups, mixed by ``weights``.
        built: folder of ``genolm corpus build``, which then defines everything but ``weights``.
        weights: relative share of each source in an epoch; default: its number of bases.
        strand: ``random`` for each piece of an epoch, ``forward``, ``both`` in every epoch, or the probability of the
            reverse complement.
        min_contig: minimum bases of a training contig.
        min_run: minimum bases of a document.
        longest_n_run: longest run of N inside a document; longer ones end it. 0: every N ends a document.
        longest_soft_masked: longest stretch of lower case inside a document; longer ones are removed. Null: no limit.
        max_soft_masked: maximum fraction of lower case of a document.
        drop_duplicates: whether to drop a contig whose training bases equal those of an earlier one, on either strand.
        near_duplicates: maximum fraction of a contig's sketch of 28-mers that earlier contigs contain; 1 keeps all.
        genes: GTF or GFF3 files, as a list for all assemblies or by assembly; assemblies without genes are kept
            completely.
        gene_distance: maximum distance of a base from the next gene; null keeps all.
        leak_fraction: maximum fraction of the 28-mers of a kilobase of training sequence that the held-out sequence
            contains.
    """

    fasta: Files = ()
    held_out: dict[str, tuple[str, ...]] = field(default_factory=lambda: _UNSET)
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
        if self.held_out is _UNSET:
            object.__setattr__(self, "held_out", {})
        self._check_regions()
        self._check_numbers()
        self._check_weights()
        if bool(self.genes) != (self.gene_distance is not None):
            raise InputError("genes and gene_distance must be given together")

    def _check_files(self) -> None:
        for name in ("sources", "weights"):
            if not isinstance(getattr(self, name), Mapping):
                raise InputError(f"{name} must be a mapping by source name", value=getattr(self, name))
        for name, files in {**self.sources, "fasta": self.fasta, "genes": self.genes}.items():
            items = list(files.values()) if isinstance(files, Mapping) else files
            if not isinstance(items, tuple | list) or not all(isinstance(item, str) and item for item in items):
                raise InputError(f"{name} must be a list of files, or a mapping of assemblies to files", value=files)

    def _check_origin(self) -> None:
        given = [name for name in ("fasta", "sources", "built") if getattr(self, name)]
        if len(given) != 1:
            raise InputError(
                f"a corpus must have exactly one of fasta, sources and built, not {' and '.join(given) or 'none'}"
            )
        if self.built:
            defaults = CorpusRecipe.__dataclass_fields__
            for name, item in defaults.items():
                empty = {} if name in ("held_out", "sources") else item.default
                if name not in _KEYS_WITH_BUILT and getattr(self, name) not in (None, empty):
                    raise InputError(f"{name} is defined by the built corpus; remove it from the recipe", value=name)
        elif self.held_out is _UNSET:
            raise InputError("corpus lacks the key held_out; use {} to hold nothing out")

    def _check_regions(self) -> None:
        if not isinstance(self.held_out, dict):
            raise InputError("held_out must be a mapping of splits to lists of regions", value=self.held_out)
        for split, texts in [*self.held_out.items(), ("skip", self.skip)]:
            if not isinstance(texts, tuple | list) or not all(isinstance(text, str) and text for text in texts):
                raise InputError(f"{split} must be a list of regions, each a text", value=texts)
            for text in texts:
                if is_interval(text):
                    Interval.parse(text)
            if split != "skip" and (not str(split).isidentifier() or split == "train"):
                raise InputError("the name of a held-out split must be a single word other than train", value=split)

    def _check_numbers(self) -> None:
        for name in ("min_contig", "longest_n_run", "longest_soft_masked", "gene_distance"):
            self._check_integer(name, 0)
        self._check_integer("min_run", 1)
        for name in ("max_soft_masked", "near_duplicates", "leak_fraction"):
            if not is_number(share := getattr(self, name)) or not 0 <= share <= 1:
                raise InputError(f"{name} must be between 0 and 1", value=share)
        if self.strand not in ("random", "forward", "both") and not (
            is_number(self.strand) and 0 <= float(self.strand) <= 1
        ):
            raise InputError("strand must be random, forward, both, or a probability", value=self.strand)

    def _check_integer(self, name: str, low: int) -> None:
        value = getattr(self, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < low):
            raise InputError(f"{name} must be an integer of at least {low}", value=value)

    def _check_weights(self) -> None:
        for name, weight in self.weights.items():
            if not is_number(weight) or not 0 < weight < float("inf"):
                raise InputError(f"the weight of {name} must be a number above 0", value=weight)
        if self.weights and not self.built:
            check_sources(self.weights, tuple(self.sources))

    def regions(self) -> dict[str, tuple[str, ...]]:
        """Return the held-out regions by split; for a built corpus, those of its manifest."""
        return Manifest.read_from(Path(self.built)).held_out() if self.built else dict(self.held_out)

    def manifest_sha256(self) -> str:
        """Return the digest of a built corpus's manifest; empty for other corpora."""
        if not self.built:
            return ""
        Manifest.read_from(Path(self.built))  # raises an error for an invalid corpus
        return file_sha256(Path(self.built) / MANIFEST)

    def paths(self) -> tuple[Path, ...]:
        """Return the FASTA files; raise an InputError if one does not exist."""
        return tuple(assembly.path for assembly in self.assemblies())

    def assemblies(self) -> tuple[Assembly, ...]:
        """Return the assemblies, in the order of the recipe.

        Raises:
            InputError: a file does not exist, or two assemblies have the same name.
        """
        sources: Mapping[str, Files] = self.sources or {"all": self.fasta}
        assemblies = [Assembly(n, s, p, w) for s, files in sources.items() for n, p, w in _named(files, "FASTA file")]
        for number, assembly in enumerate(assemblies):
            if any(other.name == assembly.name for other in assemblies[:number]):
                message = "two assemblies have this name; name them in the recipe, as in {first: a.fa, second: b.fa}"
                raise InputError(message, value=assembly.name)
        return tuple(assemblies)

    def gene_files(self, assembly: str) -> tuple[Path, ...]:
        """Return the gene files of an assembly; empty if it is not filtered by genes.

        Raises:
            InputError: a file does not exist, or is given for an unknown assembly.
        """
        if isinstance(self.genes, Mapping):
            known = {assembly.name for assembly in self.assemblies()}
            if wrong := [name for name in self.genes if name not in known]:
                raise InputError("genes are given for an assembly that is not in the corpus", value=wrong[0])
        named = list(_named(self.genes, "gene file"))
        return tuple(path for name, path, _ in named if not isinstance(self.genes, Mapping) or name == assembly)


def check_sources(weights: Mapping[str, float], sources: tuple[str, ...]) -> None:
    """Raise an InputError unless there is exactly one weight per source."""
    if wrong := sorted(set(weights) ^ set(sources)):
        raise InputError(
            f"weights must name each source once; the sources are {', '.join(sources) or 'not named'}", value=wrong[0]
        )


def _named(files: Files, what: str) -> Iterator[tuple[str, Path, str]]:
    """Yield name and path of each file, and the path as the recipe writes it."""
    pairs: Any = files.items() if isinstance(files, Mapping) else ((None, text) for text in files)
    for name, text in pairs:
        path = Path(os.path.expandvars(text))
        if not path.is_file():
            raise InputError(f"the recipe's {what} does not exist", file=path, code="file-not-found")
        yield name or _stem(path), path, text


def _stem(path: Path) -> str:
    name = path.name
    while name.lower().endswith(_COMPRESSED):
        name = name[: name.rindex(".")]
    suffix = uncompressed_suffix(path)
    return name[: -len(suffix)] if suffix and len(name) > len(suffix) else name
