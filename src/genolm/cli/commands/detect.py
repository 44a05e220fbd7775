"""Commands of ``genolm detect``: train and apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.decorators import bulk, with_printed_result
from genolm.cli.help import command_group, example
from genolm.cli.options import (
    Context,
    From,
    Layer,
    Pooling,
    Seed,
    Strands,
    Table,
    WithPrompt,
    arguments,
    keep_settings,
    model_names,
)
from genolm.cli.text import print_table

app = command_group("detect", "Detect generated DNA with a trained classifier.")


def train(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Argument(metavar="DETECTOR", help="Detector folder to write; it appears when it is complete.")
    ],
    *,
    natural: Annotated[
        list[Path] | None, typer.Option(metavar="FASTA", help="Native genome; repeat for each genome, at least 3.")
    ] = None,
    generated: Annotated[
        list[Path] | None, typer.Option(metavar="FASTA", help="FASTA file of generated sequences; repeatable.")
    ] = None,
    from_: From = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model for embedding features. Default: none, only handmade features.",
            autocompletion=model_names,
        ),
    ] = None,
    features: Annotated[
        Literal["embedding", "handmade", "both"] | None,
        typer.Option(
            help="Features: embeddings of the model, handmade (k-mers, GC content, entropies, repeats, open reading"
            " frames), or both. Default: both with --model, otherwise handmade."
        ),
    ] = None,
    provenance: Annotated[
        Path | None,
        typer.Option(
            metavar="TSV",
            help="Table with provenance missing from the FASTA headers: file or id, generator, decoding, genome.",
        ),
    ] = None,
    genomes: Annotated[
        Path | None, typer.Option(metavar="TSV", help="Table that assigns each genome a taxon, a fold or both.")
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Number of folds of genomes, at least 3.")] = 5,
    rate: Annotated[
        float, typer.Option(metavar="RATE", help="False-positive rate that sets the decision threshold.")
    ] = 0.01,
    crop: Annotated[
        list[int] | None,
        typer.Option(
            metavar="BASES",
            help="Crop generated sequences to this length; repeatable, lengths are then chosen at random. Default: no"
            " cropping.",
        ),
    ] = None,
    hold_out_generator: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Generator to hold out for testing; repeatable.")
    ] = None,
    hold_out_decoding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SETTINGS",
            help='Hold out all sequences with these sampling settings, e.g. "temperature=1.0 top_k=0"; repeatable.',
        ),
    ] = None,
    hold_out_taxon: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Taxon or genome to hold out for testing; repeatable.")
    ] = None,
    layer: Layer = None,
    pooling: Pooling = "mean",
    rc: Strands = False,
    context: Context = None,
    seed: Seed = 0,
    settings: dict[str, Any],
) -> Path:
    """Train a calibrated detector of generated DNA.

    Cross-validated on genomes that were not used for training. Needs the extra detect.
    """
    from genolm.tasks.detection.train_detector import train_detector as function

    values = {
        "natural": natural,
        "generated": generated,
        "model": model,
        "features": features,
        "provenance": provenance,
        "genomes": genomes,
        "folds": folds,
        "rate": rate,
        "crops": crop or (),
        "hold_out_generators": hold_out_generator or (),
        "hold_out_decodings": hold_out_decoding or (),
        "hold_out_taxa": hold_out_taxon or (),
        "layer": layer,
        "pooling": pooling,
        "rc": rc,
        "context": context,
        "seed": seed,
        **settings,
    }
    renamed = {
        "crops": "crop",
        "hold_out_generators": "hold_out_generator",
        "hold_out_decodings": "hold_out_decoding",
        "hold_out_taxa": "hold_out_taxon",
        "token_budget": "batch_tokens",
    }
    function(out=out, **arguments(ctx, values, from_, "natural", "generated", **renamed))
    return out


def _show_report(out: Path) -> None:
    """Print the evaluation of a detector, and its notes."""
    from genolm.tasks.detection.detector_folder import load_detector

    report = load_detector(out).report
    print_table(_report_row(row) for row in (*report["evaluation"], *report["parts"]))
    for note in report["notes"]:
        typer.echo(f"note: {note}", err=True)


def _report_row(row: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{row['features']}, {row['part']} {row['name']}" if "part" in row else row["features"]
    suffix = " (held out)" if row.get("held_out") else ""
    columns = ("natural", "generated", "auroc", "tpr_at_1", "tpr_at_5", "tpr", "fpr", "f1", "f1_at_half", "brier")
    return {"on other genomes": f"{name}{suffix}"} | {column: row[column] for column in columns}


def apply(
    detector: Annotated[
        Path, typer.Argument(metavar="DETECTOR", help="Detector folder, as written by `genolm detect train`.")
    ],
    inputs: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Sequences: FASTA, FASTQ, GenBank or EMBL, or - for standard input."),
    ],
    out: Table,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model of the detector. Default: the location recorded in the detector.",
            autocompletion=model_names,
        ),
    ] = None,
    with_prompt: WithPrompt = False,
    settings: dict[str, Any],
) -> Path:
    """Classify sequences as native or generated.

    Writes the probability of being generated and the call for each sequence.
    """
    from genolm.tasks.detection.apply_detector import apply_detector as function

    function(detector, inputs, out, model=model, with_prompt=with_prompt, **settings)
    return out


for _command in (with_printed_result(bulk(train, keep_settings), _show_report), bulk(apply)):
    app.command(epilog=example(f"detect {_command.__name__}"))(_command)
