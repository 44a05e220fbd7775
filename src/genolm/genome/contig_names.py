"""Names of contigs: one rule for FASTA, VCF, BED, bigWig, GTF, GFF3 and corpora.

Besides its own name, a contig is found under the names that other sources give it: with or without ``chr``, ``M`` or
``MT``, a GenBank accession or UCSC's name of a scaffold, an accession without its version, and any name that a
``chromAlias.txt`` of UCSC lists for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import text_lines
from genolm.files.names import is_file
from genolm.genome.formats import without_data_suffix

Synonyms = tuple[tuple[str, ...], ...]
"""Groups of names; each group holds the names of one contig."""

_VERSION = re.compile(r"\.\d+$")
_SCAFFOLD = re.compile(r"[^_]+_((?:[a-z]{2}_?\d{6,}|[a-z]{4,6}\d{8,}))(?:v(\d+))?(?:_(?:random|alt|fix))?")
_ALIAS_FILE = "chromAlias.txt"


class ContigNames:
    """The contigs of a file, found by any name that another file may use for them.

    The rules, in this order; the first that matches decides:

    1. the name itself;
    2. a name in the same group of ``synonyms``;
    3. the same name by convention (see `contig_key`): ``1``, ``chr1`` and ``CHR1``; ``M``, ``MT``, ``chrM`` and
       ``chrMT``; the scaffolds ``KI270706.1`` and ``chr1_KI270706v1_random``;
    4. an accession with or without its version: ``NC_000908`` and ``NC_000908.2``. Two different versions are two
       different sequences.

    Args:
        names: names of the contigs in the file.
        synonyms: further names, as `chrom_aliases` reads them. A group without a contig of the file is ignored.
    """

    def __init__(self, names: Iterable[str], synonyms: Synonyms = ()) -> None:
        self._own = dict.fromkeys(names)
        self._synonyms: dict[str, list[str]] = {}
        self._keys: dict[str, list[str]] = {}
        self._accessions: dict[str, list[tuple[str, str]]] = {}
        for name in self._own:
            self._add(name, (name,))
        if synonyms:
            for group, contigs in [(group, self._contigs_of(group)) for group in synonyms]:
                self._add_group(group, contigs)

    def candidates(self, name: str) -> tuple[str, ...]:
        """Return the contigs that a name can refer to: none, one, or several when it is ambiguous."""
        if name in self._own:
            return (name,)
        if name in self._synonyms:
            return tuple(self._synonyms[name])
        key = contig_key(name)
        if key in self._keys:
            return tuple(self._keys[key])
        accession = _VERSION.sub("", key)
        versions = self._accessions.get(accession, [])
        return tuple(dict.fromkeys(contig for other, contig in versions if accession in (key, other)))

    def find(self, name: str) -> str | None:
        """Return the contig that a name refers to, or None if the file has no such contig.

        Raises:
            InputError: the name matches several contigs.
        """
        contigs = self.candidates(name)
        if len(contigs) > 1:
            raise InputError(f"ambiguous contig name: it matches {' and '.join(contigs)}", value=name)
        return contigs[0] if contigs else None

    def _contigs_of(self, group: tuple[str, ...]) -> list[str]:
        """Contigs of the file in a group: by their own names, else by convention."""
        exact = [name for name in group if name in self._own]
        return exact or list(dict.fromkeys(contig for name in group for contig in self._keys.get(contig_key(name), ())))

    def _add_group(self, group: tuple[str, ...], contigs: Collection[str]) -> None:
        for name in group:
            if name not in self._own:
                known = self._synonyms.setdefault(name, [])
                known += [contig for contig in contigs if contig not in known]
                self._add(name, contigs)

    def _add(self, name: str, contigs: Iterable[str]) -> None:
        key = contig_key(name)
        for contig in contigs:
            if contig not in self._keys.setdefault(key, []):
                self._keys[key].append(contig)
                self._accessions.setdefault(_VERSION.sub("", key), []).append((key, contig))


class SynonymIndex:
    """Groups of synonyms, found by any name of a contig.

    Args:
        synonyms: the groups, as `chrom_aliases` reads them.
    """

    def __init__(self, synonyms: Synonyms) -> None:
        self._groups: dict[str, list[tuple[str, ...]]] = {}
        self._by_key: dict[str, list[tuple[str, ...]]] = {}
        for group in synonyms:
            for name in group:
                self._groups.setdefault(name, []).append(group)
            for key in {contig_key(name) for name in group}:
                self._by_key.setdefault(key, []).append(group)

    def of(self, name: str) -> Synonyms:
        """Return the groups with this name; if there are none, those with a name that is the same by convention."""
        return tuple(self._groups.get(name) or self._by_key.get(contig_key(name)) or ())

    def contig(self, name: str) -> ContigNames:
        """Return the names of one contig."""
        return ContigNames((name,), self.of(name))


def contig_key(name: str) -> str:
    """Return what all conventional names of a contig share: ``22`` of chr22 and CHR22, ``m`` of MT and chrM.

    UCSC's name of a scaffold gives its accession: ``ki270706.1`` of chr1_KI270706v1_random.
    """
    short = name.lower().removeprefix("chr")
    if match := _SCAFFOLD.fullmatch(short):
        return f"{match[1]}.{match[2]}" if match[2] else match[1]
    return "m" if short == "mt" else short


def alias_file(path: Path) -> Path | None:
    """Return the file of contig aliases next to a FASTA (or another file with contigs); None if there is none.

    For ``hg38.fa.gz`` it is ``hg38.chromAlias.txt`` in the same folder, else ``chromAlias.txt`` there.
    """
    candidates = (path.with_name(f"{without_data_suffix(path.name)}.{_ALIAS_FILE}"), path.with_name(_ALIAS_FILE))
    return next((candidate for candidate in candidates if is_file(candidate)), None)


def chrom_aliases(path: object) -> Synonyms:
    """Return the synonyms in the alias file next to a file (see `alias_file`); none if there is no alias file.

    Args:
        path: path of the file; for anything else, such as sequences in memory, there are no synonyms.

    Raises:
        InputError: as `read_chrom_aliases`.
    """
    file = alias_file(path) if isinstance(path, Path) else None
    return () if file is None else read_chrom_aliases(file)


def read_chrom_aliases(path: Path) -> Synonyms:
    """Read a ``chromAlias.txt`` of UCSC.

    Columns are separated by tabs. After a header such as ``# ucsc assembly genbank refseq`` every line lists the
    names of one contig, in any column; empty columns are ignored. Without a header, or with the header
    ``# alias chrom source``, every line has the three columns alias, contig and source.

    Raises:
        InputError: no names, a line with more columns than the header, a line without the three columns, or a name
            with white space; names file and line.
    """
    groups = tuple(_alias_groups(path))
    if not groups:
        raise InputError("the file lists no contig names", file=path)
    return groups


def _alias_groups(path: Path) -> Iterator[tuple[str, ...]]:
    header: list[str] = []
    for number, line in text_lines(path):
        if line.startswith("#"):
            header = header or [column.strip() for column in line.lstrip("#").split("\t")]
        elif line.strip():
            fields = [field.strip() for field in line.split("\t")]
            names = _alias_names(fields, header, path, number)
            if wrong := [name for name in names if len(name.split()) != 1]:
                raise InputError("a contig name must be one word", file=path, line=number, value=wrong[0])
            yield names


def _alias_names(fields: list[str], header: list[str], path: Path, number: int) -> tuple[str, ...]:
    """The names in a line; ``header`` is empty if the file has none."""
    if header in ([], ["alias", "chrom", "source"]):
        if len(fields) != 3 or not all(fields):
            message = "expected three columns separated by tabs: alias, contig and source"
            raise InputError(message, file=path, line=number, value="\t".join(fields))
        return tuple(dict.fromkeys(fields[:2]))
    if len(fields) > len(header) and header[0] != "sequenceName":  # an older header does not name every column
        message = f"expected {len(header)} columns as in the header, found {len(fields)}"
        raise InputError(message, file=path, line=number, value="\t".join(fields))
    return tuple(dict.fromkeys(field for field in fields if field))
