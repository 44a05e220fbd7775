"""The verbs of ``genolm detect``: train and apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.examples import example
from genolm.cli.options import Context, Seed, Strands, bulk, model_names, shown
from genolm.cli.text import print_table

app = typer.Typer(
    name="detect",
    help="Tell generated from natural DNA: train, apply.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Names = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Tested, never trained on; can be repeated.")]
Decodings = Annotated[
    list[str] | None,
    typer.Option(metavar="SETTINGS", help='Likewise, all that have these, as in "temperature=1.0 top_k=0".'),
]


def train(
    out: Annotated[Path, typer.Argument(metavar="DETECTOR", help="Folder to write; it appears when it is complete.")],
    *,
    natural: Annotated[list[Path], typer.Option(metavar="FASTA", help="Natural genome; repeat for each, at least 3.")],
    generated: Annotated[list[Path], typer.Option(metavar="FASTA", help="Generated sequences; can be repeated.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="What embeddings come from; none for hand-made features alone.",
            autocompletion=model_names,
        ),
    ] = None,
    features: Annotated[
        Literal["embedding", "handmade", "both"] | None,
        typer.Option(help="What is learned from; default both with a model, else handmade."),
    ] = None,
    provenance: Annotated[
        Path | None,
        typer.Option(metavar="TSV", help="What headers do not say: file or id, generator, decoding, genome."),
    ] = None,
    genomes: Annotated[Path | None, typer.Option(metavar="TSV", help="Genomes with their taxon or fold.")] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Folds of genomes, at least 3.")] = 5,
    rate: Annotated[
        float, typer.Option(metavar="SHARE", help="False-positive rate that the threshold is set for.")
    ] = 0.01,
    crop: Annotated[
        list[int] | None,
        typer.Option(metavar="BASES", help="Length that generated sequences are cut to; repeat for several."),
    ] = None,
    hold_out_generator: Names = None,
    hold_out_decoding: Decodings = None,
    hold_out_taxon: Names = None,
    layer: Annotated[
        int | None, typer.Option(metavar="N", help="Layer: 0 the embedding, -1 the last; default from the card.")
    ] = None,
    pooling: Annotated[
        Literal["mean", "max", "min", "last"], typer.Option(help="How tokens become one vector.")
    ] = "mean",
    rc: Strands = False,
    context: Context = None,
    seed: Seed = 0,
    settings: dict[str, Any],
) -> Path:
    """Train a calibrated detector.

    It is tested on genomes that it was not trained on.
    """
    from genolm.tasks.detection.train_detector import train_detector as function

    function(
        natural,
        generated,
        out,
        model=model,
        features=features,
        provenance=provenance,
        genomes=genomes,
        folds=folds,
        rate=rate,
        crops=crop or (),
        hold_out_generators=hold_out_generator or (),
        hold_out_decodings=hold_out_decoding or (),
        hold_out_taxa=hold_out_taxon or (),
        layer=layer,
        pooling=pooling,
        rc=rc,
        context=context,
        seed=seed,
        **settings,
    )
    return out


def _show(out: Path) -> None:
    """Prints the report of a detector, and its notes."""
    from genolm.tasks.detection.detector_folder import load_detector

    report = load_detector(out).report
    print_table(_line(row) for row in (*report["evaluation"], *report["parts"]))
    for note in report["notes"]:
        typer.echo(f"note: {note}", err=True)


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the report as it is printed."""
    name = f"{row['features']}, {row['part']} {row['name']}" if "part" in row else row["features"]
    held = " (held out)" if row.get("held_out") else ""
    shown = ("natural", "generated", "auroc", "tpr_at_1", "tpr_at_5", "tpr", "fpr", "f1", "f1_at_half", "brier")
    return {"on other genomes": f"{name}{held}"} | {column: row[column] for column in shown}


def apply(
    detector: Annotated[Path, typer.Argument(metavar="DETECTOR", help="What `genolm detect train` wrote.")],
    inputs: Annotated[str, typer.Argument(metavar="INPUT", help="FASTA or another file of sequences; - is stdin.")],
    out: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A .parquet, .tsv or .csv table.")],
    *,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The detector's model, if it was moved.", autocompletion=model_names),
    ] = None,
    with_prompt: Annotated[bool, typer.Option("--with-prompt", help="Keep the prompts that headers name.")] = False,
    settings: dict[str, Any],
) -> Path:
    """Call sequences natural or generated, with a probability."""
    from genolm.tasks.detection.apply_detector import apply_detector as function

    function(
        detector,
        inputs,
        out,
        model=model,
        with_prompt=with_prompt,
        **settings,
    )
    return out


for _verb in (shown(bulk(train), _show), bulk(apply)):
    app.command(epilog=example(f"detect {_verb.__name__}"))(_verb)
