"""Opening of built corpora: shards mapped into memory, and verification that no training document is held out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.corpus import Corpus, check_sources_used, mixing_of
from genolm.training.corpus.corpus_manifest import MANIFEST, Manifest
from genolm.training.corpus.corpus_regions import SKIPPED, TRAIN, Division
from genolm.training.corpus.corpus_shards import SCHEMA
from genolm.training.corpus.split_documents import DocumentSpans, Mixing, Names

Ids = NDArray[np.uint8]


def open_corpus(
    folder: str | Path, tokenizer: NucleotideTokenizer, weights: Mapping[str, float] | None = None
) -> Corpus:
    """Open a built corpus with its shards mapped into memory.

    Every file is verified by its checksum, which reads it completely once, and the document table against the shards
    and the held-out regions of the manifest.

    Args:
        folder: folder written by ``genolm corpus build``.
        tokenizer: tokenizer; its symbols must be those that the corpus was built with.
        weights: weights of the sources; default: those that it was built with.

    Raises:
        InputError: the folder is not a corpus; a file is missing, damaged or changed; a training document lies in a
            held-out region; or the tokenizer has other symbols.
    """
    folder = Path(folder)
    manifest = Manifest.read_from(folder)
    _check_tokenizer(folder, manifest, tokenizer)
    manifest.check_shards(folder)
    table = read_documents(folder, manifest)
    check_places(folder, manifest, table)
    check_held_out(folder, manifest, table)
    options = manifest.options
    mixing = mixing_of(manifest.sources(), weights or options["weights"], options["strand"])
    splits = {name: _document_spans(folder, manifest, table, name, mixing) for name in (TRAIN, *manifest.held_out())}
    check_sources_used(mixing, set(table.filter(pl.col("split") == TRAIN)["source"].unique()))
    dropped = manifest.dropped
    return Corpus(splits, dropped["leak"]["bases"], manifest.held_out(), dropped, file_sha256(folder / MANIFEST))


def read_documents(folder: Path, manifest: Manifest) -> pl.DataFrame:
    """Read the document table of a built corpus.

    Raises:
        InputError: it is not a parquet file with the expected columns.
    """
    path = folder / manifest.documents["file"]
    try:
        table = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"not a parquet table: {str(error).splitlines()[0]}", file=path) from None
    if dict(table.schema) != SCHEMA or any(table[name].null_count() for name in SCHEMA):
        raise InputError(f"a document table must have the columns {', '.join(SCHEMA)}, without nulls", file=path)
    return table


def check_places(folder: Path, manifest: Manifest, table: pl.DataFrame) -> None:
    """Raise an InputError unless the documents are stored consecutively in shards of their own split.

    A row can therefore not be moved to another split, since its bytes stay in a shard of the old one.
    """
    path = folder / manifest.documents["file"]
    splits = {shard["file"]: shard["split"] for shard in manifest.shards}
    sizes = {shard["file"]: shard["bytes"] for shard in manifest.shards}
    checked = table.with_columns(
        owner=pl.col("shard").replace_strict(splits, default=None, return_dtype=pl.String),
        expected=pl.col("length").cum_sum().over("shard") - pl.col("length"),
    )
    wrong = checked.filter(
        pl.col("owner").ne_missing(pl.col("split"))
        | (pl.col("offset") != pl.col("expected"))
        | (pl.col("end") - pl.col("start") != pl.col("length"))
        | (pl.col("length") < 1)
        | (pl.col("start") < 0)
    )
    if wrong.height:
        raise InputError(
            "the table was changed: this document does not match its shard",
            file=path,
            value=_location(wrong.row(0, named=True)),
        )
    filled = dict(table.group_by("shard").agg(pl.col("length").sum()).iter_rows())
    for name, size in sizes.items():
        if filled.get(name) != size:
            raise InputError("the table was changed: its documents do not fill this shard", file=path, value=name)


def check_held_out(folder: Path, manifest: Manifest, table: pl.DataFrame) -> None:
    """Raise an InputError for a document that lies in a region of another split, or of none."""
    division = Division(manifest.held_out(), manifest.options["skip"], manifest.assemblies(), manifest.synonyms())
    contigs = table.group_by(["assembly", "contig"], maintain_order=True).agg(
        pl.col("start").min(), pl.col("end").max(), splits=pl.col("split").unique()
    )
    for contig in contigs.iter_rows(named=True):
        pieces = division.divide(contig["assembly"], contig["contig"], contig["start"], contig["end"])
        if contig["splits"] != [pieces[0][2]] or len(pieces) > 1:  # most contigs belong completely to training
            selected = (pl.col("assembly") == contig["assembly"]) & (pl.col("contig") == contig["contig"])
            _check_contig(folder / manifest.documents["file"], table.filter(selected), pieces)


def _check_contig(path: Path, table: pl.DataFrame, pieces: list[tuple[int, int, str]]) -> None:
    """Check the documents of one contig against the pieces that it is divided into."""
    for start, end, split in pieces:
        wrong = table.filter((pl.col("start") < end) & (pl.col("end") > start) & (pl.col("split") != split))
        if wrong.height:
            row = wrong.row(0, named=True)
            where = {SKIPPED: "in no split", TRAIN: "trained on"}.get(split, f"held out as {split}")
            message = f"a document of {row['split']} overlaps a region that is {where}: build the corpus again"
            raise InputError(message, file=path, value=_location(row))


def _location(row: Mapping[str, Any]) -> str:
    return f"{row['assembly']} {row['contig']}:{row['start'] + 1}-{row['end']}"


def _check_tokenizer(folder: Path, manifest: Manifest, tokenizer: NucleotideTokenizer) -> None:
    symbols = json.loads(tokenizer.to_json())["symbols"]
    if manifest.tokenizer.get("symbols") != symbols:
        raise InputError("the token symbols of the corpus differ from those of the model", file=folder / MANIFEST)


def _document_spans(folder: Path, manifest: Manifest, table: pl.DataFrame, split: str, mixing: Mixing) -> DocumentSpans:
    rows = table.filter(pl.col("split") == split)
    shards = [shard["file"] for shard in manifest.shards if shard["split"] == split]
    buffers = tuple(np.asarray(np.memmap(folder / name, np.uint8, "r")) for name in shards)
    return DocumentSpans(
        buffers=buffers,
        buffer_N=_codes(rows["shard"], shards),
        offset_N=rows["offset"].to_numpy(),
        length_N=rows["length"].to_numpy(),
        start_N=rows["start"].to_numpy(),
        contigs=_names(rows["contig"]),
        assemblies=_names(rows["assembly"]),
        sources=Names(mixing.sources, _codes(rows["source"], mixing.sources)),
        mixing=mixing,
    )


def _names(texts: pl.Series) -> Names:
    distinct = texts.unique(maintain_order=True).to_list()
    return Names(tuple(distinct), _codes(texts, distinct))


def _codes(texts: pl.Series, names: Any) -> NDArray[np.int32]:
    numbers = {name: code for code, name in enumerate(names)}
    return texts.replace_strict(numbers, return_dtype=pl.Int32).to_numpy()
