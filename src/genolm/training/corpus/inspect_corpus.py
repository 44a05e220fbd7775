"""What is in a built corpus, and whether every byte of it is still as it was written."""

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


def inspect_corpus(folder: str | Path) -> dict[str, Any]:
    """Read all of a built corpus and tell what it holds.

    Returns:
        ``groups``: documents, bases, longest document, and shares of G and C (of bases) and of lower case, by split,
        source and assembly; ``dropped``: bases and contigs by rule, with the rule in words; ``held_out``, ``weights``,
        ``strand``, ``inputs``, ``shards``, ``bytes`` and what was ``read``.

    Raises:
        InputError: what :func:`open_corpus` refuses, and a shard that is damaged, by its name.
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


def built(folder: str | Path) -> Summary:
    """Summarise what a build read, kept and left out, from its manifest; no shard is read.

    Raises:
        InputError: no built corpus.
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
    """One row for each split, source and assembly."""
    counts = _count(folder, manifest, table, tokenizer)
    keys = ["split", "source", "assembly"]
    grouped = table.with_columns(counts).group_by(keys, maintain_order=True)
    result = grouped.agg(
        documents=pl.len(),
        bases=pl.col("length").sum(),
        longest=pl.col("length").max(),
        gc=pl.col("gc").sum() / pl.col("acgt").sum(),
        soft_masked=(pl.col("soft_masked") * pl.col("length")).sum() / pl.col("length").sum(),
    )
    return result.to_dicts()


def _count(folder: Path, manifest: Manifest, table: pl.DataFrame, tokenizer: NucleotideTokenizer) -> list[pl.Series]:
    """G and C, and bases of all four kinds, of every document."""
    a, c, g, t = tokenizer.base_ids
    gc, acgt = np.zeros(table.height, np.int64), np.zeros(table.height, np.int64)
    for shard in manifest.shards:
        ids = np.memmap(folder / shard["file"], np.uint8, "r")
        own = np.flatnonzero((table["shard"] == shard["file"]).to_numpy())
        for row, offset, length in zip(own, table["offset"][own], table["length"][own], strict=True):
            kind = np.asarray(ids[offset : offset + length])
            gc[row] = np.isin(kind, (c, g)).sum()
            acgt[row] = gc[row] + np.isin(kind, (a, t)).sum()
    return [pl.Series("gc", gc), pl.Series("acgt", acgt)]
