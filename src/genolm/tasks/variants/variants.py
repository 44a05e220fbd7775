"""Variant effects as log-likelihood ratios of ALT and REF alleles."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from genolm.tasks.variants.variant_scores import VariantScores
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
) -> VariantScores:
    """Score variants: log p(ALT) - log p(REF) in nats; negative: the ALT allele is less likely.

    Decoders of single bases have two methods. ``conditional`` compares the two bases at the site of an SNV given the
    upstream context; all variants of a tile share one pass. ``full`` compares, for any small variant, the ``horizon``
    bases from the variant on with either allele, given the upstream context; it costs a pass over the horizon for each
    ALT allele. Probabilities are renormalised over A, C, G and T; N is context but is never counted.

    Models with multi-base tokens, and encoders, compare the alleles token by token. A variant may shift the token
    boundaries around it, so the compared tokens are all those that differ between the alleles. Decoders (``window``)
    sum these and the following tokens within the horizon; encoders (``masked``) mask the tokens that differ and sum
    their log-probabilities given both sides. The numbers of these tokens are reported, because an allele of more
    tokens tends to be less likely for that reason alone.

    The context of a variant depends on its position alone (see :mod:`genolm.tasks.reading.allele_tiles`), so its score
    does not depend on other variants of the input, up to rounding.

    Args:
        model: a model, or a name or path for :func:`genolm.load`.
        inputs: path of a VCF, BCF or table, a table, or a list of variants (see
            :func:`genolm.genome.vcf.vcf_records.read_variants`); ``-`` reads standard input. Input from pipes is saved
            to a temporary file first.
        out: ``.vcf``, ``.vcf.gz`` or ``.bcf`` (for VCF and BCF input only), ``.parquet``, ``.tsv`` or ``.csv``; ``-``
            writes to standard output; None returns the table.
        genome: FASTA of the genome, plain or bgzip-compressed.
        method: ``full``, ``conditional``, ``window`` or ``masked``; None: the first method that the model supports.
        context: minimum upstream context in bases (fewer at contig ends); None: 4,096, or less if the model's limit is
            short. With ``window`` and ``masked``: maximum number of bases read together; None: the model's maximum.
        horizon: number of bases (default 512) that ``full`` compares, from the first that differs, and ``window`` after
            the variant; also the maximum length of ALT.
        rc: also read the reverse strand, whose context is downstream of the variant; the score is the mean of both.
            None: only with ``window`` and ``masked``, because the tokens of the strands differ.
        on_mismatch: treatment of records that do not match the genome: ``raise`` an error; ``skip``: leave them
            unscored, with a status; ``flip``: score them with both alleles reverse-complemented if that matches, and
            skip the others.
        device: device to compute on; None: the first CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute only the i-th of n shares, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        format: format of standard output; None: VCF for VCF and BCF input, TSV for tables.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate`.

    Returns:
        The scores, in memory or written to ``out``; `table` has a row per ALT allele, in input order, and the columns
        of :class:`genolm.tasks.variants.variant_scores.VariantScores`.

    Raises:
        InputError: if the input cannot be read, with file and line, or the output format cannot hold it.
        ModelError: if the model is unknown, does not support the method, or cannot read context and horizon.
        RunError: if the output exists, or parts of another run are in the way.
        ResourceError: if memory or disk space is insufficient.
    """
    reusable, target = reusable_variants(inputs), variant_output(out)
    check_streams(reusable, target, format, resume=resume, shard=shard)
    Rules(method == "conditional", horizon, on_mismatch)
    check_method(method)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if target is not None and not is_standard_output(target):
        bulk.check_output(target)
    fasta, policy = path_and_policy(genome)
    piped = is_piped(reusable)
    with readable(reusable) as source, finished(source, target, format, piped=piped) as path:
        check_output_format(source, path, target)
        opened = bulk.open(model, path)
        with warnings_renamed(source, reusable) if piped else nullcontext():
            chosen = choose_method(opened, method)
            kind = TokenVariantTask if chosen in TOKEN_METHODS else VariantTask
            task = kind.fit(
                opened, context, horizon, source=source, genome=fasta, method=chosen, rc=rc, on_mismatch=on_mismatch,
                genome_iupac=policy, further=further_variant_columns(source),
            )  # fmt: skip
            warn_of_lengths(source, fasta)
        run = bulk.run(task, opened, path)
    written = None if run.out is None or is_standard_output(target) else target  # not the temporary file of a pipe
    return VariantScores(replace(run, out=written), task)
