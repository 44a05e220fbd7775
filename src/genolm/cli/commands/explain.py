"""Commands of ``genolm explain``: memory, tables, lens, experts and attribution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.decorators import bulk, with_settings
from genolm.cli.failures import with_error_messages
from genolm.cli.help import command_group, example
from genolm.cli.options import (
    Device,
    ModelName,
    NewFolder,
    Overwrite,
    Precision,
    Quiet,
    Seed,
    TableFormat,
    in_range,
    input_settings,
)
from genolm.cli.reporter import Reporter, print_closing, printed_notes

app = command_group("explain", "Interpret a model: k-mer memory, experts, layers, attribution.")

Regions = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Sequences (FASTA), coordinates (BED, TSV, CSV, Parquet; with --genome), or one interval, 1-based and"
        " inclusive: chr22:1,001-2,000; or - for standard input.",
    ),
]
Genes = Annotated[Path | None, typer.Option("--genes", metavar="FILE", help="Gene annotation: GTF or GFF3.")]


def _output_settings(*, seed: Seed = 0, tables: TableFormat = "tsv") -> dict[str, Any]:
    return {"seed": seed, "tables": tables}


def _window_settings(
    *,
    context: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1),
            metavar="BASES",
            help="Window length in bases. Default: 8,192, or the model's maximum if that is shorter.",
        ),
    ] = None,
) -> dict[str, Any]:
    return {"context": context}


def _label_settings(*, genes: Genes = None) -> dict[str, Any]:
    return {"genes": genes}


def memory(model: ModelName, inputs: Regions, out: NewFolder, *, settings: dict[str, Any]) -> Path:
    """Show where a k-mer memory acts, and how strongly.

    Writes tables, a bigWig per layer and quantity, and a heat map of each region. Baseline: random k-mer tables.
    """
    from genolm.tasks.explain.explain_memory import explain_memory as function

    function(model, inputs, out, **settings)
    return out


def lens(
    model: ModelName,
    inputs: Regions,
    out: NewFolder,
    *,
    over: Annotated[
        Literal["bases", "vocabulary"],
        typer.Option(help="Normalise probabilities over the four bases, or over all tokens of the vocabulary."),
    ] = "bases",
    settings: dict[str, Any],
) -> Path:
    """Show the prediction after each layer (logit lens).

    Baseline: an untrained model.
    """
    from genolm.tasks.explain.explain_lens import explain_lens as function

    function(model, inputs, out, over=over, **settings)
    return out


def experts(model: ModelName, inputs: Regions, out: NewFolder, *, settings: dict[str, Any]) -> Path:
    """Show which experts each class of bases is routed to.

    Baselines: shifted labels, and an untrained model.
    """
    from genolm.tasks.explain.explain_experts import explain_experts as function

    function(model, inputs, out, **settings)
    return out


def tables(
    model: ModelName,
    out: NewFolder,
    *,
    settings: dict[str, Any],
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Analyse k-mer tables: neighbours, strands and codons.

    Baseline: random tables.
    """
    from genolm.tasks.explain.explain_tables import explain_tables as function

    function(model, out, device=device, overwrite=overwrite, **settings)
    names = sorted(path.stem for path in out.glob(f"*.{settings['tables']}"))
    print_closing(f"{len(names)} tables: {', '.join(names)}", out, quiet=quiet)


def attribution(
    model: ModelName,
    inputs: Regions,
    out: NewFolder,
    *,
    position: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1),
            metavar="N",
            help="Explain the prediction of this base only; 1-based. Default: all bases.",
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1),
            metavar="BASES",
            help="Context to read before each interval, in bases; it is not explained. Default: 128, or less at the"
            " start of a contig.",
        ),
    ] = None,
    settings: dict[str, Any],
    device: Device = None,
    dtype: Precision = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Show which bases a prediction depends on.

    Uses in-silico mutagenesis and gradient × input, with null distributions. Sequences may have at most 1,000 bases.
    """
    from genolm.tasks.explain.explain_attribution import explain_attribution as function

    reporter = Reporter(quiet)
    settings |= {"context": context, "device": device, "dtype": dtype, "overwrite": overwrite, "progress": reporter}
    with printed_notes(quiet):
        function(model, inputs, out, position=position, **settings)
    reporter.close(out, None)


_COMMANDS = (
    bulk(memory, _label_settings, input_settings, _window_settings, _output_settings),
    bulk(lens, input_settings, _window_settings, _output_settings),
    bulk(experts, _label_settings, input_settings, _window_settings, _output_settings),
    with_error_messages(with_settings(tables, _output_settings)),
    with_error_messages(with_settings(attribution, _label_settings, input_settings, _output_settings)),
)
for _command in _COMMANDS:
    app.command(epilog=example(f"explain {_command.__name__}"))(_command)
