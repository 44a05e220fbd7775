"""Embeddings of sequences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genolm.engine.progress import Progress
from genolm.engine.target import check_side_files
from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.embedding import OUTPUT_COLUMNS, EmbedTask
from genolm.tasks.reading.model_limits import check_layer, choose_layers, context_bases
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.sources import IupacPolicy, open_source
from genolm.tasks.writing.embeddings import Embeddings
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix
from genolm.tasks.writing.vector_files import SUFFIXES, beside_vectors, require

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
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Embeddings:
    """Embed sequences: the hidden states of a layer, pooled over the tokens of each sequence, as float32.

    A sequence longer than the context is read in consecutive windows, each without the preceding bases; pooling is
    over the tokens of all windows.

    Args:
        model: a model, or a name or path for :func:`genolm.load`.
        inputs: input as for :func:`genolm.genome.sequences.read_sequences`: a path, a table, a dict of names and
            sequences, or a list of sequences, pairs ``(name, sequence)``, intervals or variants.
        out: ``.parquet``, ``.npy`` (with ``.ids.txt``), ``.h5ad`` or ``.zarr``; None returns the table.
        layer: 0: the embedding layer; ``num_layers`` or -1: after the final norm; ``"all"``; None: the layer preferred
            by the model card, else the last.
        pooling: ``mean``, ``max``, ``min``, ``last`` (token), ``none`` (one vector per token) or ``bases`` (one vector
            per base, that of its token). Special tokens are never pooled.
        rc: average with the reverse complement; per base with ``bases`` and, for single-base tokens, with ``none``.
            Multi-base tokens of the two strands cover different bases, so ``none`` is not available for them.
        genome: FASTA of the genome, if the input has coordinates.
        length: length in bases to which intervals are resized; required for variants.
        context: maximum window length in bases; None: the model's maximum.
        iupac: treatment of ambiguity codes in sequences: ``raise`` an error, read as ``N``, or ``sample`` a matching
            base.
        device: device to compute on; None: the first CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute only the i-th of n shares, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate`.

    Returns:
        The embeddings, in memory or written to ``out``: `vectors` (N, D), or a table with the columns of
        :class:`genolm.tasks.writing.embeddings.Embeddings`.

    Raises:
        InputError: if the input cannot be read, the pooling is unknown, or the output format is not supported.
        ModelError: if the model or layer is unknown, or the context exceeds the model's.
        RunError: if the output exists, or parts of another run are in the way.
        ResourceError: if memory or disk space is insufficient.
        GenolmError: if a package for the output format is not installed.
    """
    path = check_suffix(out, SUFFIXES)
    require(path)
    check_layer(layer)
    chosen = pooling if isinstance(pooling, Pooling) else Pooling(pooling)
    source = open_source(inputs, genome=genome, length=length, iupac=iupac, output_columns=OUTPUT_COLUMNS)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if path is not None:
        check_side_files(path, beside_vectors(path), overwrite=overwrite, resume=resume)
    opened = bulk.open(model, path)
    if rc and chosen.name == "none" and opened.tokenizer.bases_per_token != 1:
        raise InputError(
            "multi-base tokens of the two strands cover different bases: with rc, use pooling bases", value="none"
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
    run = bulk.run(task, opened, path)
    return Embeddings(run, task.layers, chosen.name, Provenance.weak(opened), task.settings)
