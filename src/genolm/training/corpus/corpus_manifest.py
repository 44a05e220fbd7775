"""The manifest of a built corpus: how it was made, what is in it, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.files.digests import sha256_of_file

FORMAT, VERSION = "genolm corpus", 1
MANIFEST, DOCUMENTS = "manifest.json", "documents.parquet"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands in ``manifest.json``.

    Attributes:
        options: the corpus recipe that it was built from.
        tokenizer: settings of the tokenizer, symbols included.
        inputs: assembly, source, file, bytes, sha256 and contigs of every FASTA, and file and sha256 of every file of
            genes.
        splits: documents and bases of every split.
        read: bases and contigs that were read.
        dropped: bases and contigs that each rule of quality control dropped.
        shards: file, split, bytes and sha256 of every shard.
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
        """The text of the file; equal corpora write equal text."""
        return sealed({"format": FORMAT, "version": VERSION, **asdict(self)})

    @classmethod
    def read_from(cls, folder: Path) -> Manifest:
        """The manifest of a built corpus.

        Raises:
            InputError: no such folder, no manifest, one that is damaged, was changed or is of a newer version.
        """
        file = folder / MANIFEST
        if not file.is_file():
            raise InputError(f"not a built corpus: it has no {MANIFEST}", file=folder)
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise InputError("damaged: not JSON", file=file) from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError("not the manifest of a built corpus", file=file)
        if values.get("version") != VERSION:
            raise InputError(f"this genolm reads version {VERSION} of the format", file=file, value=values["version"])
        if values.get("sha256") != json.loads(sealed(values))["sha256"]:
            raise InputError("damaged or changed: its sha256 is not that of its content", file=file)
        try:
            result = cls(**{item.name: values[item.name] for item in fields(cls)})
            result.check(folder)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"damaged: {type(error).__name__} {error}", file=file) from None
        return result

    def check(self, folder: Path) -> None:
        """Raises an InputError when a file is not there or has another size; reads no shard."""
        names = [shard["file"] for shard in self.shards]
        if any(Path(name).name != name for name in [*names, self.documents["file"]]) or len(set(names)) < len(names):
            raise InputError("damaged: the names of its files", file=folder / MANIFEST)
        for shard in self.shards:
            path = folder / shard["file"]
            if not path.is_file():
                raise InputError("a shard of the corpus is missing: build it again", file=path)
            if path.stat().st_size != shard["bytes"]:
                message = f"the shard is damaged: it has not the {shard['bytes']:,} bytes of the manifest"
                raise InputError(message, file=path, value=path.stat().st_size)
        self.verify(folder, self.documents["file"], self.documents["sha256"], "the document table")

    def check_shards(self, folder: Path) -> None:
        """Raises an InputError that names the first shard whose content is not that of the manifest."""
        for shard in self.shards:
            self.verify(folder, shard["file"], shard["sha256"], "the shard")

    @staticmethod
    def verify(folder: Path, name: str, expected: str, what: str) -> None:
        """Raises an InputError unless a file has this checksum."""
        path = folder / name
        if not path.is_file():
            raise InputError(f"{what} of the corpus is missing: build it again", file=path)
        if sha256_of_file(path) != expected:
            raise InputError(f"{what} is damaged or was changed: its sha256 is not that of the manifest", file=path)

    def held_out(self) -> dict[str, tuple[str, ...]]:
        """The held-out regions by split."""
        return {name: tuple(texts) for name, texts in self.options["held_out"].items()}

    def sources(self) -> tuple[str, ...]:
        """Names of the sources, in the order of the recipe."""
        return tuple(dict.fromkeys(one["source"] for one in self.inputs if "source" in one))

    def assemblies(self) -> tuple[str, ...]:
        """Names of the assemblies, in the order of the recipe."""
        return tuple(one["assembly"] for one in self.inputs if "assembly" in one)


def sealed(values: Mapping[str, Any]) -> str:
    """The text of a manifest with the digest of all else that stands in it."""
    content = {name: value for name, value in values.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}, indent=1, default=list) + "\n"


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with lists for tuples, as JSON gives them back."""
    return dict(json.loads(json.dumps(options, default=list)))
