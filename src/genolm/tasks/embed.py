"""Embeddings of sequences."""

from __future__ import annotations

from typing import Annotated, Literal, Unpack

from genolm.engine.target import check_side_files
from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.parameters import Bases, OutputFile, Shown
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, RunOptions, SequenceInput
from genolm.tasks.reading.embedding import OUTPUT_COLUMNS, EmbedTask
from genolm.tasks.reading.model_limits import check_layer, choose_layers, context_bases
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.sources import IupacPolicy, open_source
from genolm.tasks.writing.embeddings import Embeddings
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix
from genolm.tasks.writing.vector_files import SUFFIXES, beside_vectors, require
from genolm.verbs import verb


@verb(example="genolm embed genolm-nano genes.fa genes.parquet")
def embed(
    model: AnyModel,
    inputs: SequenceInput,
    out: OutputFile | None = None,
    *,
    layer: Annotated[int | Literal["all"] | None, Shown("N|all")] = None,
    pooling: PoolingName | Pooling = "mean",
    rc: bool = False,
    context: Bases | None = None,
    genome: Reference | None = None,
    length: Bases | None = None,
    iupac: IupacPolicy = "raise",
    **run: Unpack[RunOptions],
) -> Embeddings:
    """Embed sequences: one vector per sequence, token or base.

    The vectors are hidden states of a layer as float32, pooled over the tokens of each sequence. The suffix of the
    output determines its format.

    A sequence longer than the context is read in consecutive windows, each without the preceding bases; pooling is
    over the tokens of all windows. Special tokens are never pooled.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        inputs: Sequences (FASTA, FASTQ, GenBank, EMBL) or coordinates (BED, VCF, TSV, CSV, Parquet; with `genome`).
            Text formats may be gzipped. Use - for standard input.
        out: Embeddings to write: .parquet, .npy, .h5ad or .zarr.
        layer: Layer to read: 0 is the embedding layer, -1 the last; or all layers. Default: the layer recommended by
            the model card.
        pooling: Reduction of the vectors of all tokens to one vector; none: keep one vector per token; bases: one
            vector per base, that of its token.
        rc: Average the results of both strands.
        context: Maximum window length in bases. Default: the model's maximum.
        genome: Reference genome (FASTA, plain or bgzipped); required for coordinates.
        length: Resize each interval to this many bases, keeping its centre; required for VCF input. Default: intervals
            as given.
        iupac: IUPAC ambiguity codes such as R: raise an error, read as N, or sample one of the bases they stand for.

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
    bulk = Bulk.of(run)
    if path is not None:
        check_side_files(path, beside_vectors(path), overwrite=bulk.overwrite, resume=bulk.resume)
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
    outcome = bulk.run(task, opened, path)
    return Embeddings(outcome, task.layers, chosen.name, Provenance.weak(opened), task.settings)
