"""Verbs that run a model over much input: embed, score, variants, mutate, generate, and merge for their shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.options import (
    Context,
    Iupac,
    LeftContext,
    Length,
    ModelName,
    Output,
    Overwrite,
    Reference,
    RequiredReference,
    Sequences,
    Strands,
    at_least,
    bulk,
)

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
        Literal["mean", "max", "min", "last", "none"], typer.Option(help="How tokens become one vector.")
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
        Literal["bases", "vocabulary"], typer.Option(help="What probabilities add up to one over: ACGT, or all tokens.")
    ] = "bases",
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    settings: dict[str, Any],
) -> Path:
    """Log-likelihood of sequences, whole or per base.

    OUTPUT is .parquet, .tsv or .csv; .bw or .bedgraph for values per base of a genome.
    """
    from genolm.tasks.likelihood import score as function

    function(
        model,
        inputs,
        out,
        rc=rc,
        per_base=per_base,
        normalise=normalise,
        genome=genome,
        length=length,
        context=context,
        iupac=iupac,
        **settings,
    )
    return out


def variants(
    model: ModelName,
    inputs: Annotated[str, typer.Argument(metavar="INPUT", help="VCF, BCF, TSV, CSV or parquet of variants.")],
    out: Output,
    *,
    genome: RequiredReference,
    method: Annotated[
        Literal["full", "conditional"],
        typer.Option(help="The variant and the bases after it (any small variant), or the site alone (SNVs, fast)."),
    ] = "full",
    context: LeftContext = None,
    horizon: Annotated[
        int,
        typer.Option(callback=at_least(1), metavar="BASES", help="full: bases from the variant on that count."),
    ] = 512,
    rc: Strands = False,
    on_mismatch: Annotated[
        Literal["raise", "skip", "flip"], typer.Option(help="When REF is not what the genome has there.")
    ] = "raise",
    settings: dict[str, Any],
) -> Path:
    """Score variants: log p(ALT) - log p(REF).

    OUTPUT is .vcf, .vcf.gz or .bcf, with the scores in INFO; or .parquet, .tsv or .csv.
    """
    from genolm.tasks.variants import variants as function

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
        **settings,
    )
    return out


def mutate(
    model: ModelName,
    interval: Annotated[str, typer.Argument(metavar="INTERVAL", help="1-based, as in a browser: chr22:1,001-1,200.")],
    out: Table,
    *,
    genome: RequiredReference,
    method: Annotated[Literal["conditional", "full"], typer.Option(help="As for `genolm variants`.")] = "conditional",
    context: LeftContext = None,
    rc: Strands = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Logo and heat map, .png, .svg or .pdf (extra: plots).")
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Score every single-base change of an interval."""
    from genolm.tasks.mutagenesis import mutate as function

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
    n: Annotated[int, typer.Option("--n", "-n", callback=at_least(1), help="Sequences for each prompt.")] = 1,
    length: Annotated[
        int, typer.Option(callback=at_least(1), metavar="BASES", help="New bases for each sequence.")
    ] = 256,
    temperature: Annotated[
        float, typer.Option(callback=at_least(0), help="0 takes the likeliest base each time.")
    ] = 1.0,
    top_k: Annotated[int, typer.Option(callback=at_least(0), help="Sample among the k likeliest; 0 for all.")] = 0,
    top_p: Annotated[
        float, typer.Option(callback=at_least(0, 1), help="Sample among the likeliest that add up to p.")
    ] = 1.0,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: what was written becomes less likely.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Same seed, same sequences.")] = 0,
    settings: dict[str, Any],
) -> Path:
    """Continue prompts, base by base, into a FASTA."""
    from genolm.tasks.generate import generate as function

    prompts, out = _prompts(paths, prompt or [])
    function(
        model,
        prompts,
        out,
        n=n,
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
        **settings,
    )
    return out


def _prompts(paths: list[Path], texts: list[str]) -> tuple[Path | list[str], Path]:
    """What to continue and where to write it: PROMPTS OUTPUT, or OUTPUT alone beside --prompt."""
    if len(paths) != (1 if texts else 2):
        raise typer.BadParameter("give PROMPTS and OUTPUT, or --prompt and OUTPUT", param_hint="[PROMPTS] OUTPUT")
    return (texts if texts else paths[0]), paths[-1]


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The OUTPUT that the shards were run with.")],
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="PARTS", help="Parts folders that lie elsewhere.")
    ] = None,
    *,
    overwrite: Overwrite = False,
) -> None:
    """Join the shards of a run into its one output."""
    from genolm.engine.run import merge as function

    function(out, tuple(folders or ()), overwrite=overwrite)
    typer.echo(f"wrote {out}", err=True)


COMMANDS = (bulk(embed), bulk(score), bulk(variants), bulk(mutate), bulk(generate))
