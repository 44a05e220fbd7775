"""Variant effects: how much less, or more, likely the model finds the alternative than the reference."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.progress import Progress
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import Variants
from genolm.genome.streams import warnings_renamed
from genolm.tasks.reading.allele_status import Mismatch, Rules
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import path_and_policy
from genolm.tasks.reading.variant_columns import Method
from genolm.tasks.reading.variant_files import (
    OutputFormat,
    check_output_format,
    check_streams,
    finished,
    further_variant_columns,
    is_piped,
    is_standard_output,
    readable,
    reusable_variants,
    variant_output,
)
from genolm.tasks.variants.token_variants import TokenVariantTask
from genolm.tasks.variants.variant_task import HORIZON, TOKEN_METHODS, VariantTask, check_method, choose_method

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


def variants(
    model: Model | str | Path,
    inputs: Variants,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path,
    method: Method | None = None,
    context: int | None = None,
    horizon: int = HORIZON,
    rc: bool | None = None,
    on_mismatch: Mismatch = "raise",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    format: OutputFormat | None = None,
    dry_run: bool = False,
) -> Any:
    """Scores variants: log p(alternative) - log p(reference) in nats; negative: the alternative is less likely.

    Models that read single bases from the left have two methods. ``conditional`` compares the two bases at the site of
    an SNV, given what is before it; all variants of a stretch come out of one pass. ``full`` compares, for any small
    variant, the ``horizon`` bases from the variant on with either allele, given what is before it: it costs a pass over
    the horizon for each alternative. Probabilities are those of A, C, G and T among each other; N is context but never
    counted.

    Where tokens are several bases, or a model reads both ways, the alleles are compared token by token: a variant may
    move the borders of the tokens around it, so what is compared is all the tokens that differ, which cover the same
    bases but for the variant. Decoders (``window``) sum these and the tokens that follow within the horizon; encoders
    (``masked``) mask the tokens that differ and sum their log-probabilities given both sides. The counts of these
    tokens are told: an allele of more tokens tends to be less likely for that alone.

    A variant's context begins at a place that follows from its own position alone (see
    :mod:`genolm.tasks.reading.allele_tiles`), so
    its score does not depend on the other variants of the input, up to rounding.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path of a VCF, BCF or table, a table, or a list of variants
            (see :func:`genolm.genome.vcf.vcf_records.read_variants`); ``-`` reads standard input. What comes from
            there, or through
            a named pipe, is saved in a temporary file first.
        out: ``.vcf``, ``.vcf.gz`` or ``.bcf`` (from a VCF or BCF input only), ``.parquet``, ``.tsv`` or ``.csv``; ``-``
            writes to standard output; None returns the table.
        genome: FASTA, plain or bgzip.
        method: ``full`` or ``conditional``, ``window`` or ``masked``; None for the first that the model has.
        context: bases that at least precede every variant, where the contig has them; None for 4,096, or what the model
            has room for. With ``window`` and ``masked``: most bases that are read together; None for what the model
            can.
        horizon: bases that ``full`` compares, from the first that differs, and that ``window`` counts after the
            variant. No method scores a longer ALT.
        rc: read the reverse strand too, where the context is what follows the variant; the score is the mean. None:
            with ``window`` and ``masked``, because the strands have different tokens.
        on_mismatch: for records that do not fit the genome: ``raise``; ``skip`` leaves them unscored, with a status;
            ``flip`` scores them with both alleles reverse-complemented where that fits, and skips the others.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        format: of standard output; None for plain VCF of VCF and BCF input, and TSV of tables.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table with a row for every alternative, in the order of the input: ``chrom``,
        ``pos`` (1-based), ``id``, ``ref``, ``alt``; ``llr_alt_minus_ref_sum_nats`` (``full``, ``window``),
        ``llr_alt_minus_ref_site_nats`` (``conditional``) or ``llr_alt_minus_ref_masked_sum_nats``, with ``rc`` also
        ``…_forward`` and ``…_reverse``; ``status`` (:data:`genolm.tasks.reading.allele_status.Status`);
        ``left_context`` and,
        with ``rc``, ``right_context`` in bases; ``uncounted_ref`` and ``uncounted_alt`` (``full``): bases of the
        horizon that were N or past the contig's end; ``tokens_ref`` and ``tokens_alt`` (``window``, ``masked``): tokens
        that differ. Further columns of an input table follow, as they are.

    Raises:
        InputError: input that cannot be used, with file and line; an output that does not fit it.
        ModelError: no such model, a method that it does not have, or one that cannot read context and horizon.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    inputs, target = reusable_variants(inputs), variant_output(out)
    check_streams(inputs, target, format, resume=resume, shard=shard)
    Rules(method == "conditional", horizon, on_mismatch)
    check_method(method)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if target is not None and not is_standard_output(target):
        bulk.check_output(target)
    fasta, policy = path_and_policy(genome)
    piped = is_piped(inputs)
    with readable(inputs) as source, finished(source, target, format, piped=piped) as path:
        check_output_format(source, path, target)
        opened = bulk.open(model, path)
        with warnings_renamed(source, inputs) if piped else nullcontext():
            chosen = choose_method(opened, method)
            kind = TokenVariantTask if chosen in TOKEN_METHODS else VariantTask
            task = kind.fit(
                opened, context, horizon, source=source, genome=fasta, method=chosen, rc=rc, on_mismatch=on_mismatch,
                genome_iupac=policy, further=further_variant_columns(source),
            )  # fmt: skip
            warn_of_lengths(source, fasta)
        result = bulk.run(task, opened, path)  # type: ignore[arg-type]
    return result if dry_run or path == target else target
