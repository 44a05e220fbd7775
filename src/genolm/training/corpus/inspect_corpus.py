"""Content and integrity of a built corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genolm.engine.summary import Summary
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.corpus_manifest import Manifest
from genolm.training.corpus.masked_bases import RULES
from genolm.training.corpus.reading import open_corpus, read_documents
from genolm.verbs import verb


@verb(example="genolm corpus inspect corpus")
def inspect_corpus(folder: str | Path) -> dict[str, Any]:
    """Summarise a corpus and verify its checksums.

    Args:
        folder: Corpus folder from corpus build.

    Returns:
        ``groups``: number of documents, bases, longest document, GC content and soft-masked fraction by split, source
        and assembly; ``dropped``: bases and contigs by rule, with a description of the rule; ``held_out``, ``weights``,
        ``strand``, ``inputs``, ``shards``, ``bytes`` and what was ``read``.

    Raises:
        InputError: :func:`open_corpus` refuses the folder, for example because a shard is damaged.
    """
    folder = Path(folder)
    manifest = Manifest.read_from(folder)
    tokenizer = NucleotideTokenizer.from_json(json.dumps(manifest.tokenizer))
    open_corpus(folder, tokenizer)
    table = read_documents(folder, manifest)
    options = manifest.options
    return {
        "folder": str(folder),
        "groups": _groups(folder, manifest, table, tokenizer),
        "dropped": [
            {"rule": rule, **manifest.dropped[rule], "why": why}
            for rule, why in RULES.items()
            if manifest.dropped[rule]["bases"]
        ],
        "read": manifest.read,
        "held_out": options["held_out"],
        "skip": options["skip"],
        "strand": options["strand"],
        "weights": options["weights"],
        "inputs": manifest.inputs,
        "shards": len(manifest.shards),
        "bytes": sum(shard["bytes"] for shard in manifest.shards),
        "intact": True,
    }


def summarise_build(folder: str | Path) -> Summary:
    """Summarise what a build read, kept and left out, from its manifest; shards are not read.

    Raises:
        InputError: the folder is not a built corpus.
    """
    manifest = Manifest.read_from(Path(folder))
    kept = {name: counts["bases"] for name, counts in manifest.splits.items()}
    left_out = sum(counts["bases"] for counts in manifest.dropped.values())
    documents = sum(counts["documents"] for counts in manifest.splits.values())
    contigs = {"bases": manifest.read["bases"], "contigs": manifest.read["contigs"]}
    return Summary(contigs, {**kept, "left out": left_out}, {"documents": documents, "shards": len(manifest.shards)})


def _groups(
    folder: Path, manifest: Manifest, table: pl.DataFrame, tokenizer: NucleotideTokenizer
) -> list[dict[str, Any]]:
    """Return one row per split, source and assembly."""
    counts = _count(folder, manifest, table, tokenizer)
    keys = ["split", "source", "assembly"]
    grouped = table.with_columns(counts).group_by(keys, maintain_order=True)
    groups = grouped.agg(
        documents=pl.len(),
        bases=pl.col("length").sum(),
        longest=pl.col("length").max(),
        gc=pl.col("gc").sum() / pl.col("acgt").sum(),
        soft_masked=(pl.col("soft_masked") * pl.col("length")).sum() / pl.col("length").sum(),
    )
    return groups.to_dicts()


def _count(folder: Path, manifest: Manifest, table: pl.DataFrame, tokenizer: NucleotideTokenizer) -> list[pl.Series]:
    """Return the number of G and C, and of all four bases, of each document."""
    a, c, g, t = tokenizer.base_ids
    gc, acgt = np.zeros(table.height, np.int64), np.zeros(table.height, np.int64)
    for shard in manifest.shards:
        ids = np.memmap(folder / shard["file"], np.uint8, "r")
        rows = np.flatnonzero((table["shard"] == shard["file"]).to_numpy())
        for row, offset, length in zip(rows, table["offset"][rows], table["length"][rows], strict=True):
            bases = np.asarray(ids[offset : offset + length])
            gc[row] = np.isin(bases, (c, g)).sum()
            acgt[row] = gc[row] + np.isin(bases, (a, t)).sum()
    return [pl.Series("gc", gc), pl.Series("acgt", acgt)]
