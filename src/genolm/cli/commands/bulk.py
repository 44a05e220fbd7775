"""Verbs that run a model over much input: embed, score, variants, mutate, generate, complete, and merge for shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.commands.completion import complete
from genolm.cli.options import (
    BothStrands,
    Context,
    Iupac,
    LeftContext,
    Length,
    ModelName,
    Output,
    Overwrite,
    Quiet,
    Reference,
    RequiredReference,
    Seed,
    Sequences,
    Strands,
    at_least,
    bulk,
)
from genolm.cli.reporter import quietly, tell

Table = Annotated[Path, typer.Argument(metavar="OUTPUT", help="A .parquet, .tsv or .csv table.")]


def embed(
    model: ModelName,
    inputs: Sequences,
    out: Output,
    *,
    layer: Annotated[
        str | None, typer.Option(metavar="N|all", help="Layer: 0 the embedding, -1 the last; default from the card.")
    ] = None,
    pooling: Annotated[
        Literal["mean", "max", "min", "last", "none", "bases"],
        typer.Option(help="How tokens become one vector; none keeps them all, bases gives every base its token's."),
    ] = "mean",
    rc: Strands = False,
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    settings: dict[str, Any],
) -> Path:
    """Turn sequences into vectors.

    OUTPUT is .parquet, .npy, .h5ad or .zarr.
    """
    from genolm.tasks.embed import embed as function

    function(
        model,
        inputs,
        out,
        layer=_layer(layer),
        pooling=pooling,
        rc=rc,
        genome=genome,
        length=length,
        context=context,
        iupac=iupac,
        **settings,
    )
    return out


def _layer(text: str | None) -> int | Literal["all"] | None:
    if text is None or text == "all":
        return text  # type: ignore[return-value]
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor 'all'", param_hint="'--layer'") from None


def score(
    model: ModelName,
    inputs: Sequences,
    out: Output,
    *,
    rc: Strands = False,
    per_base: Annotated[
        bool, typer.Option("--per-base", help="One value per base; implied by .bw and .bedgraph.")
    ] = False,
    normalise: Annotated[
        Literal["bases", "vocabulary"] | None,
        typer.Option(help="What probabilities add up to one over: ACGT, or all tokens; default ACGT where it can be."),
    ] = None,
    passes: Annotated[
        int | None,
        typer.Option(callback=at_least(1), metavar="N", help="Encoders: passes that mask every N-th token; default 8."),
    ] = None,
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    settings: dict[str, Any],
) -> Path:
    """Log-likelihood of sequences, whole or per base.

    OUTPUT is .parquet, .tsv or .csv; .bw or .bedgraph for values per base of a genome.
    """
    from genolm.tasks.score import score as function

    function(
        model,
        inputs,
        out,
        rc=rc,
        per_base=per_base,
        normalise=normalise,
        passes=passes,
        genome=genome,
        length=length,
        context=context,
        iupac=iupac,
        **settings,
    )
    return out


def variants(
    model: ModelName,
    inputs: Annotated[
        str, typer.Argument(metavar="INPUT", help="VCF, BCF, TSV, CSV or parquet of variants; - reads stdin.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="File to write; its suffix chooses the format; - writes to stdout.")
    ],
    *,
    genome: RequiredReference,
    method: Annotated[
        Literal["full", "conditional", "window", "masked"] | None,
        typer.Option(
            help="Single-base models: the variant and the bases after it (full, the default), or the site alone"
            " (conditional: SNVs, fast). Decoders of longer tokens: window. Encoders: masked."
        ),
    ] = None,
    context: LeftContext = None,
    horizon: Annotated[
        int,
        typer.Option(callback=at_least(1), metavar="BASES", help="full, window: bases from the variant on that count."),
    ] = 512,
    rc: BothStrands = None,
    on_mismatch: Annotated[
        Literal["raise", "skip", "flip"], typer.Option(help="When REF is not what the genome has there.")
    ] = "raise",
    format: Annotated[
        Literal["vcf", "vcf.gz", "bcf", "tsv", "csv", "parquet"] | None,
        typer.Option(help="Of stdout (OUTPUT -); default vcf, or tsv where INPUT is a table."),
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Score variants: log p(ALT) - log p(REF).

    OUTPUT is .vcf, .vcf.gz or .bcf, with the scores in INFO; or .parquet, .tsv or .csv.
    """
    from genolm.tasks.variants.variants import variants as function

    function(
        model,
        inputs,
        out,
        genome=genome,
        method=method,
        context=context,
        horizon=horizon,
        rc=rc,
        on_mismatch=on_mismatch,
        format=format,
        **settings,
    )
    return out


def mutate(
    model: ModelName,
    interval: Annotated[str, typer.Argument(metavar="INTERVAL", help="1-based, as in a browser: chr22:1,001-1,200.")],
    out: Table,
    *,
    genome: RequiredReference,
    method: Annotated[
        Literal["conditional", "full", "window", "masked"] | None,
        typer.Option(help="As for `genolm variants`; default conditional where the model has it."),
    ] = None,
    context: LeftContext = None,
    rc: BothStrands = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Logo and heat map, .png, .svg or .pdf (extra: plots).")
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Score every single-base change of an interval."""
    from genolm.tasks.variants.mutate import mutate as function

    function(model, interval, out, genome=genome, method=method, context=context, rc=rc, plot=plot, **settings)
    return out


def generate(
    model: ModelName,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="[PROMPTS] OUTPUT", help="FASTA of prompts (or --prompt), then the FASTA to write."),
    ],
    *,
    prompt: Annotated[
        list[str] | None, typer.Option(metavar="BASES", help="A prompt instead of a file; can be repeated.")
    ] = None,
    preset: Annotated[
        Literal["conservative", "conservative-long", "creative", "creative-long"] | None,
        typer.Option(help="GenomeOcean's published settings; options beside it go before."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", "-n", callback=at_least(1), help="Sequences for each prompt; default 1.")
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            callback=at_least(1),
            metavar="BASES",
            help="New bases for each sequence, at most where tokens hold several; default 256.",
        ),
    ] = None,
    min_length: Annotated[
        int | None,
        typer.Option(
            callback=at_least(1),
            metavar="BASES",
            help="New bases at least. This and the next five: for byte-pair tokens.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(callback=at_least(1), metavar="N", help="New tokens at most.")
    ] = None,
    min_tokens: Annotated[
        int | None, typer.Option(callback=at_least(1), metavar="N", help="New tokens at least.")
    ] = None,
    ignore_end: Annotated[bool, typer.Option("--ignore-end", help="Never draw the end token.")] = False,
    whole_tokens: Annotated[
        bool, typer.Option("--whole-tokens", help="Keep the last token whole where it goes beyond --length.")
    ] = False,
    slide: Annotated[
        bool, typer.Option("--slide", help="Where the context is full, forget its older half and go on.")
    ] = False,
    temperature: Annotated[
        float | None, typer.Option(callback=at_least(0), help="0 takes the likeliest each time; default 1.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(callback=at_least(0), help="Sample among the k likeliest; 0, the default, for all.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(callback=at_least(0, 1), help="Sample among the likeliest that add up to p; default 1."),
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(help="Above 1: what was written becomes less likely; default 1.")
    ] = None,
    seed: Seed = 0,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FASTA",
            help="Natural genome to check the output beside, as `genolm check`, into OUTPUT.check; can be repeated.",
        ),
    ] = None,
    check_training: Annotated[
        list[Path] | None,
        typer.Option(metavar="FASTA", help="What the check measures novelty against; default those of --check."),
    ] = None,
    backend: Annotated[
        Literal["torch", "vllm"],
        typer.Option(help="What computes; vllm reads a folder in Hugging Face's layout (extra: vllm)."),
    ] = "torch",
    settings: dict[str, Any],
) -> Path:
    """Continue prompts, base by base or token by token, into a FASTA."""
    from genolm.tasks.generation.generate import generate as function

    prompts, out = _prompts(paths, prompt or [])
    function(
        model,
        prompts,
        out,
        preset=preset,
        n=n,
        length=length,
        min_length=min_length,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        ignore_end=ignore_end,
        whole_tokens=whole_tokens,
        slide=slide,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
        check=check or (),
        check_training=check_training or (),
        backend=backend,
        **settings,
    )
    return out


def _prompts(paths: list[Path], texts: list[str]) -> tuple[Path | list[str], Path]:
    """What to continue and where to write it: PROMPTS OUTPUT, or OUTPUT alone beside --prompt."""
    if len(paths) != (1 if texts else 2):
        raise typer.BadParameter("give PROMPTS and OUTPUT, or --prompt and OUTPUT", param_hint="[PROMPTS] OUTPUT")
    return (texts if texts else paths[0]), paths[-1]


def merge(
    out: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The OUTPUT, or PREFIX, that the shards were run with.")
    ],
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="PARTS", help="Parts folders that lie elsewhere.")
    ] = None,
    *,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Join the shards of a run into its one output."""
    from genolm.engine.merge import merge as function

    with quietly(quiet):
        merged = function(out, tuple(folders or ()), overwrite=overwrite)
    tell(merged.summary, merged.out or out, quiet=quiet)


COMMANDS = (bulk(embed), bulk(score), bulk(variants), bulk(mutate), bulk(generate), bulk(complete))
