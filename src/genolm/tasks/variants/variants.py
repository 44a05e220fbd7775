"""Variant effects as log-likelihood ratios of ALT and REF alleles."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import hold_variants
from genolm.genome.streams import notes_renamed
from genolm.parameters import Bases, OutputFile
from genolm.tasks.reading.allele_status import Mismatch, Rules
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, RunOptions, VariantInput
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
    variant_output,
)
from genolm.tasks.variants.token_variants import TokenVariantTask
from genolm.tasks.variants.variant_scores import VariantScores
from genolm.tasks.variants.variant_task import HORIZON, TOKEN_METHODS, VariantTask, choose_method
from genolm.verbs import verb


@verb(example="genolm variants genolm-nano calls.vcf.gz calls.scored.vcf.gz --genome hg38.fa")
def variants(
    model: AnyModel,
    inputs: VariantInput,
    out: OutputFile | None = None,
    *,
    genome: Reference,
    method: Method | None = None,
    context: Bases | None = None,
    horizon: Bases = HORIZON,
    rc: bool | None = None,
    on_mismatch: Mismatch = "raise",
    format: OutputFormat | None = None,
    **run: Unpack[RunOptions],
) -> VariantScores:
    """Score variants: log-likelihood of ALT minus that of REF.

    Scores are in nats; negative: the ALT allele is less likely than the REF allele. In VCF and BCF output, scores are
    added to INFO.

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
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        inputs: Variants: VCF, BCF, TSV, CSV or Parquet, or - for standard input.
        out: File to write: .vcf, .vcf.gz, .bcf, .parquet, .tsv or .csv, or - for standard output.
        genome: Reference genome (FASTA, plain or bgzipped).
        method: full: log-likelihood of the variant and the bases after it. conditional: of the base at the variant
            (SNVs only, fast). window: of the tokens that differ and those after them, for decoders with multi-base
            tokens. masked: of the tokens that differ, masked, for encoders. Default: the first of these that the model
            supports.
        context: Methods full and conditional: minimum context before each variant, in bases; default 4,096, or less
            for models with a shorter context. Methods window and masked: maximum window length; default the model's
            maximum.
        horizon: Methods full and window: number of bases to score, from the variant on; also the maximum length of
            ALT.
        rc: Average the scores of both strands. Default: on for the methods window and masked, off otherwise.
        on_mismatch: If REF differs from the genome: raise an error; skip the variant; or flip: reverse-complement REF
            and ALT if REF then matches, otherwise skip.
        format: Format of standard output (output -). Default: vcf for VCF and BCF input, tsv for tables.

    Returns:
        The scores, in memory or written to ``out``; `table` has a row per ALT allele, in input order, and the columns
        of :class:`genolm.tasks.variants.variant_scores.VariantScores`.

    Raises:
        InputError: if the input cannot be read, with file and line, or the output format cannot hold it.
        ModelError: if the model is unknown, does not support the method, or cannot read context and horizon.
        RunError: if the output exists, or parts of another run are in the way.
        ResourceError: if memory or disk space is insufficient.
    """
    bulk = Bulk.of(run)
    reusable, target = hold_variants(inputs), variant_output(out)
    check_streams(reusable, target, format, resume=bulk.resume, shard=bulk.shard)
    Rules(method == "conditional", horizon, on_mismatch)
    if target is not None and not is_standard_output(target):
        bulk.check_output(target)
    fasta, policy = path_and_policy(genome)
    piped = is_piped(reusable)
    with readable(reusable) as source, finished(source, target, format, piped=piped) as path:
        check_output_format(source, path, target)
        opened = bulk.open(model, path)
        with notes_renamed(source, reusable) if isinstance(source, Path) and is_piped(reusable) else nullcontext():
            chosen = choose_method(opened, method)
            kind = TokenVariantTask if chosen in TOKEN_METHODS else VariantTask
            task = kind.fit(
                opened, context, horizon, source=source, genome=fasta, method=chosen, rc=rc, on_mismatch=on_mismatch,
                genome_iupac=policy, further=further_variant_columns(source),
            )  # fmt: skip
            warn_of_lengths(source, fasta)
        outcome = bulk.run(task, opened, path)
    written = None if outcome.out is None or is_standard_output(target) else target  # not the temporary file of a pipe
    return VariantScores(replace(outcome, out=written), task)
