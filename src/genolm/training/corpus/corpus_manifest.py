"""Manifest of a built corpus: its recipe, its content, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.genome.contig_names import Synonyms

FORMAT, VERSION = "genolm corpus", 1
MANIFEST, DOCUMENTS = "manifest.json", "documents.parquet"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Content of ``manifest.json``.

    Attributes:
        options: corpus recipe that it was built from.
        tokenizer: settings of the tokenizer, including its symbols.
        inputs: assembly, source, file, bytes, sha256 and contigs of each FASTA file, and file and sha256 of each gene
            file.
        splits: documents and bases of each split.
        read: bases and contigs that were read.
        dropped: bases and contigs that each quality-control rule dropped.
        shards: file, split, bytes and sha256 of each shard.
        documents: file, rows and sha256 of the document table.
    """

    options: dict[str, Any]
    tokenizer: dict[str, Any]
    inputs: list[dict[str, Any]]
    splits: dict[str, dict[str, int]]
    read: dict[str, int]
    dropped: dict[str, dict[str, int]]
    shards: list[dict[str, Any]]
    documents: dict[str, Any]

    def to_json(self) -> str:
        """Return the text of the file; equal corpora have equal text."""
        return sealed({"format": FORMAT, "version": VERSION, **asdict(self)})

    @classmethod
    def read_from(cls, folder: Path) -> Manifest:
        """Read the manifest of a built corpus, and check that its files are complete.

        Raises:
            InputError: there is no manifest, it is damaged or was changed, or its format version is not supported.
        """
        file = folder / MANIFEST
        if not file.is_file():
            raise InputError(f"not a built corpus: {MANIFEST} is missing", file=folder)
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise InputError("corrupt: not valid JSON", file=file, code="damaged-file") from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError("not the manifest of a built corpus", file=file)
        if values.get("version") != VERSION:
            raise InputError(f"unsupported format version: expected {VERSION}", file=file, value=values["version"])
        if values.get("sha256") != json.loads(sealed(values))["sha256"]:
            raise InputError(
                "damaged or changed: its sha256 does not match its content", file=file, code="damaged-file"
            )
        try:
            manifest = cls(**{item.name: values[item.name] for item in fields(cls)})
            manifest.check(folder)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"damaged: {type(error).__name__} {error}", file=file, code="damaged-file") from None
        return manifest

    def check(self, folder: Path) -> None:
        """Raise an InputError if a file is missing or its size differs; shards are not read."""
        names = [shard["file"] for shard in self.shards]
        if any(Path(name).name != name for name in [*names, self.documents["file"]]) or len(set(names)) < len(names):
            raise InputError("damaged: invalid file names", file=folder / MANIFEST, code="damaged-file")
        for shard in self.shards:
            path = folder / shard["file"]
            if not path.is_file():
                raise InputError("a shard of the corpus is missing: build it again", file=path)
            if path.stat().st_size != shard["bytes"]:
                message = f"the shard is damaged: its size is not the {shard['bytes']:,} bytes of the manifest"
                raise InputError(message, file=path, value=path.stat().st_size)
        self.verify(folder, self.documents["file"], self.documents["sha256"], "the document table")

    def check_shards(self, folder: Path) -> None:
        """Raise an InputError that names the first shard whose content does not match the manifest."""
        for shard in self.shards:
            self.verify(folder, shard["file"], shard["sha256"], "the shard")

    @staticmethod
    def verify(folder: Path, name: str, expected: str, what: str) -> None:
        """Raise an InputError if a file does not have the expected checksum."""
        path = folder / name
        if not path.is_file():
            raise InputError(f"{what} of the corpus is missing: build it again", file=path)
        if file_sha256(path) != expected:
            raise InputError(
                f"{what} is damaged or was changed: its sha256 does not match the manifest",
                file=path,
                code="damaged-file",
            )

    def held_out(self) -> dict[str, tuple[str, ...]]:
        """Return the held-out regions by split."""
        return {name: tuple(texts) for name, texts in self.options["held_out"].items()}

    def synonyms(self) -> dict[str, Synonyms]:
        """Return the contig names from alias files that held-out and skipped regions use, by assembly."""
        return {
            one["assembly"]: tuple(tuple(group) for group in one.get("aliases", ()))
            for one in self.inputs
            if "assembly" in one
        }

    def sources(self) -> tuple[str, ...]:
        """Return the names of the sources, in the order of the recipe."""
        return tuple(dict.fromkeys(item["source"] for item in self.inputs if "source" in item))

    def assemblies(self) -> tuple[str, ...]:
        """Return the names of the assemblies, in the order of the recipe."""
        return tuple(item["assembly"] for item in self.inputs if "assembly" in item)


def sealed(values: Mapping[str, Any]) -> str:
    """Return the text of a manifest with a digest of its other content."""
    content = {name: value for name, value in values.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}, indent=1, default=list) + "\n"


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with lists instead of tuples, as JSON restores them."""
    return dict(json.loads(json.dumps(options, default=list)))
