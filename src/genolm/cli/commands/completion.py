"""The verb that completes genes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genolm.cli.options import ModelName, Seed, at_least


def complete(
    model: ModelName,
    genes: Annotated[
        Path,
        typer.Argument(
            metavar="GENES",
            help="GenBank or EMBL with sequence (extra: genbank), GFF3 or GTF beside --genome, or a FASTA.",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="A .parquet, .tsv or .csv table; OUTPUT.summary.tsv beside it.")
    ],
    *,
    genome: Annotated[Path | None, typer.Option(metavar="FASTA", help="Genome that a GFF3 or GTF speaks of.")] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FASTA", help="Composition of the Markov model; default the genome, else the other genes."
        ),
    ] = None,
    prompt_fraction: Annotated[float, typer.Option(metavar="PART", help="Part of each gene that is given.")] = 0.3,
    n: Annotated[int, typer.Option("--n", "-n", callback=at_least(1), help="Completions of each gene.")] = 4,
    draw: Annotated[
        int, typer.Option(callback=at_least(0), metavar="N", help="Complete N genes, drawn by --seed; 0 for all.")
    ] = 0,
    shortest: Annotated[
        int, typer.Option(callback=at_least(6), metavar="BASES", help="The shortest gene that is taken.")
    ] = 300,
    longest: Annotated[
        int,
        typer.Option(callback=at_least(0), metavar="BASES", help="The longest; 0 for any that the model can read."),
    ] = 0,
    order: Annotated[
        int, typer.Option(callback=at_least(0, 10), metavar="K", help="Bases that the Markov model looks back.")
    ] = 5,
    code: Annotated[int, typer.Option(metavar="N", help="NCBI's genetic code where the annotation names none.")] = 11,
    temperature: Annotated[float, typer.Option(callback=at_least(0), help="0 takes the likeliest each time.")] = 1.0,
    top_k: Annotated[int, typer.Option(callback=at_least(0), help="Sample among the k likeliest; 0 for all.")] = 0,
    top_p: Annotated[
        float, typer.Option(callback=at_least(0, 1), help="Sample among the likeliest that add up to p.")
    ] = 1.0,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: what was written becomes less likely.")] = 1.0,
    seed: Seed = 0,
    settings: dict[str, Any],
) -> Path:
    """Complete genes from their first part, beside baselines."""
    from genolm.tasks.completion.complete import complete as function

    function(
        model,
        genes,
        out,
        genome=genome,
        reference=reference,
        prompt_fraction=prompt_fraction,
        n=n,
        draw=draw,
        shortest=shortest,
        longest=longest,
        order=order,
        code=code,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
        **settings,
    )
    return out
