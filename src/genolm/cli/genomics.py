"""Verbs for whole genomes and generated DNA: cluster, detect and check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.options import Overwrite, at_least

Folder = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Folder to write; it appears when it is complete.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no closing line.")]


def check(
    generated: Annotated[list[Path], typer.Argument(metavar="GENERATED", help="FASTA of generated sequences.")],
    *,
    reference: Annotated[
        list[Path], typer.Option(metavar="FASTA", help="Natural genome to compare with; can be repeated.")
    ],
    out: Folder,
    training: Annotated[
        list[Path] | None,
        typer.Option(metavar="FASTA", help="What novelty is measured against; can be repeated; default the reference."),
    ] = None,
    order: Annotated[
        int, typer.Option(callback=at_least(0, 10), metavar="K", help="Bases that the Markov model looks back.")
    ] = 3,
    with_prompt: Annotated[bool, typer.Option("--with-prompt", help="Check prompts too.")] = False,
    max_tandem: Annotated[
        float,
        typer.Option(
            callback=at_least(0, 1), metavar="SHARE", help="Most bases in tandem repeats of a sequence that passes."
        ),
    ] = 1.0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Check generated DNA: genes, spectra, repeats, novelty; natural and Markov sequence beside."""
    from genolm.tasks.generated_check import check_generated as function

    function(
        generated,
        reference,
        out,
        training=training,
        order=order,
        with_prompt=with_prompt,
        max_tandem=max_tandem,
        seed=seed,
        overwrite=overwrite,
    )
    if not quiet:
        typer.echo(f"wrote {out}", err=True)
