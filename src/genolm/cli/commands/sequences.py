"""Commands embed and score, and merge, which joins the shards of any bulk command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.decorators import bulk
from genolm.cli.failures import with_error_messages
from genolm.cli.options import Context, ModelName, Overwrite, Passes, Quiet, Sequences, Strands, input_settings
from genolm.cli.reporter import hide_data_warnings, print_closing


def embed(
    model: ModelName,
    inputs: Sequences,
    out: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Embeddings to write: .parquet, .npy, .h5ad or .zarr.")],
    *,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Layer to read: 0 is the embedding layer, -1 the last; or all layers. Default: the layer recommended"
            " by the model card.",
        ),
    ] = None,
    pooling: Annotated[
        Literal["mean", "max", "min", "last", "none", "bases"],
        typer.Option(
            help="How to reduce the vectors of all tokens to one vector; none: keep one vector per token; bases: write"
            " one vector per base, that of its token."
        ),
    ] = "mean",
    rc: Strands = False,
    context: Context = None,
    settings: dict[str, Any],
) -> Path:
    """Embed sequences: one vector per sequence, token or base.

    Writes .parquet, .npy, .h5ad (AnnData) or .zarr, depending on the suffix of OUTPUT.
    """
    from genolm.tasks.embed import embed as function

    function(model, inputs, out, layer=_layer(layer), pooling=pooling, rc=rc, context=context, **settings)
    return out


def _layer(text: str | None) -> int | Literal["all"] | None:
    if text is None or text == "all":
        return text  # type: ignore[return-value]
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"expected a layer number or 'all', not {text!r}", param_hint="'--layer'") from None


def score(
    model: ModelName,
    inputs: Sequences,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help="File to write: .parquet, .tsv or .csv; .bw or .bedgraph for per-base tracks."
        ),
    ],
    *,
    rc: Strands = False,
    per_base: Annotated[
        bool,
        typer.Option("--per-base", help="Write one log-probability per base; implied by .bw and .bedgraph output."),
    ] = False,
    normalise: Annotated[
        Literal["bases", "vocabulary"] | None,
        typer.Option(
            help="Normalise probabilities over the four bases, or over all tokens of the vocabulary. Default: bases"
            " for decoders with single-base tokens, otherwise vocabulary."
        ),
    ] = None,
    passes: Passes = None,
    context: Context = None,
    settings: dict[str, Any],
) -> Path:
    """Compute log-likelihoods of sequences, in total or per base.

    Log-likelihoods are in nats. Writes a table (.parquet, .tsv, .csv) or a genome track (.bw, .bedgraph), depending on
    the suffix of OUTPUT.
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
        context=context,
        **settings,
    )
    return out


def merge(
    out: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The OUTPUT, FOLDER or PREFIX that the shards were run with.")
    ],
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PARTS", help="Parts folders, if they are not next to OUTPUT."),
    ] = None,
    *,
    overwrite: Overwrite = False,
    keep_parts: Annotated[
        bool, typer.Option("--keep-parts", help="Keep the parts, to analyse them again with --from.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Join the shards of a run into one output."""
    from genolm.engine.merge import merge as function

    with hide_data_warnings(quiet):
        merged = function(out, tuple(folders or ()), overwrite=overwrite, keep_parts=keep_parts)
    print_closing(merged.summary, merged.out or out, quiet=quiet)


COMMANDS = (bulk(embed, input_settings), bulk(score, input_settings))
MERGE = with_error_messages(merge)
