"""Sequences into vectors: the hidden state of a layer, pooled over the sequence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genolm.engine.progress import Progress
from genolm.engine.target import check_side_files
from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.embedding import OWN, EmbedTask
from genolm.tasks.reading.model_limits import check_layer, choose_layers, context_bases
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.sources import IupacPolicy, settle
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix
from genolm.tasks.writing.vector_files import (
    SUFFIXES,
    Form,
    beside_vectors,
    check_form,
    in_form,
    require,
)

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model


def embed(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    layer: int | Literal["all"] | None = None,
    pooling: PoolingName | Pooling = "mean",
    rc: bool = False,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    as_: Form = "table",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Turns sequences into vectors: the hidden state of a layer, pooled over the sequence's tokens, as float32.

    A sequence beyond the context goes through in consecutive windows of the context; each starts without what came
    before it, and pooling is that of all their tokens.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: what :func:`genolm.genome.sequences.read_sequences` takes: a path, a table, a dict of names and
            sequences, or a list of sequences, pairs ``(name, sequence)``, intervals or variants.
        out: ``.parquet``, ``.npy`` (with ``.ids.txt``), ``.h5ad`` or ``.zarr``; None returns the table.
        layer: 0 the embedding, ``num_layers`` (or -1) after the final norm, ``"all"``; None what the card prefers,
            else the last.
        pooling: ``mean``, ``max``, ``min``, the ``last`` token, ``none`` for a vector for every token, or ``bases`` for
            one for every base, its token's. Special tokens around a sequence are never pooled.
        rc: mean with the vector of the reverse complement; with ``bases``, base by base, as with ``none`` where a token
            is one base. Longer tokens of the two strands do not cover the same bases, so there ``none`` is refused.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized; variants need it.
        context: most bases that go through the model together; None for what it can read.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        as_: what is returned where nothing is written: the ``table``; ``numpy``, its column ``embedding`` as a float32
            array (rows, dimensions); or ``anndata``, an AnnData as in an ``.h5ad`` (extra ``anndata``).
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table: ``id``, coordinates (0-based, half-open) where known, ``length`` in
        bases, further columns of a table, ``layer`` when there are several, ``position`` (token or base, 0-based)
        without pooling, ``embedding``; or what ``as_`` asks for.

    Raises:
        InputError: input that cannot be used, an unknown pooling, an output of unknown kind.
        ModelError: no such model or layer, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
        GenolmError: a package that the output needs is not installed.
    """
    path = check_suffix(out, SUFFIXES)
    require(path)
    check_form(as_, path)
    check_layer(layer)
    chosen = pooling if isinstance(pooling, Pooling) else Pooling(pooling)
    source = settle(inputs, genome=genome, length=length, iupac=iupac, keep_beside=OWN)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if path is not None:
        check_side_files(path, beside_vectors(path), overwrite=overwrite, resume=resume)
    opened = bulk.open(model, path)
    if rc and chosen.name == "none" and opened.tokenizer.bases_per_token != 1:
        raise InputError(
            "tokens of the two strands do not cover the same bases: with rc choose pooling bases", value="none"
        )
    task = EmbedTask(
        source,
        choose_layers(opened, layer),
        chosen,
        rc,
        opened.config.hidden_size,
        context_bases(opened, context),
        opened.tokenizer.bases_per_token,
        Provenance.of(opened),
    )
    warn_of_lengths(source.place, source.genome)
    result = bulk.run(task, opened, path)
    return result if dry_run or path is not None else in_form(result, as_, task.metadata)
