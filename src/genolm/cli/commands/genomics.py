"""Verbs for whole genomes and generated DNA: cluster and check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.options import Context, ModelName, Overwrite, Seed, Strands, at_least, bulk, shown
from genolm.cli.reporter import tell
from genolm.cli.text import print_table

Folder = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Folder to write; it appears when it is complete.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No table and no summary.")]


def cluster(
    model: ModelName,
    genomes: Annotated[
        list[Path], typer.Argument(metavar="GENOMES", help="FASTA, GenBank or EMBL files, one a genome.")
    ],
    *,
    out: Folder,
    length: Annotated[
        list[int] | None,
        typer.Option(metavar="BASES", help="Bases of a fragment; can be repeated.", show_default="5000"),
    ] = None,
    per_genome: Annotated[
        int, typer.Option(callback=at_least(1), metavar="N", help="Most fragments of a genome, drawn at random.")
    ] = 50,
    max_n: Annotated[
        float,
        typer.Option(callback=at_least(0, 1), metavar="SHARE", help="Most N in a fragment; others are passed over."),
    ] = 0.05,
    labels: Annotated[
        str, typer.Option(metavar="files|none|TSV", help="Species: one a file, none, or a table of genome and label.")
    ] = "files",
    k: Annotated[
        int | None, typer.Option("--k", metavar="N", help="Clusters of k-means; default the number of species.")
    ] = None,
    layer: Annotated[
        int | None, typer.Option(metavar="N", help="Layer: 0 the embedding, -1 the last; default from the card.")
    ] = None,
    pooling: Annotated[
        Literal["mean", "max", "min", "last"], typer.Option(help="How tokens become one vector.")
    ] = "mean",
    rc: Strands = False,
    twin: Annotated[
        bool, typer.Option("--twin/--no-twin", help="Also cluster by random weights of the same shape.")
    ] = True,
    reduce: Annotated[
        Literal["umap", "pca", "none"], typer.Option(help="To 10 dimensions, before the clustering.")
    ] = "umap",
    seed: Seed = 42,
    repeats: Annotated[int, typer.Option(callback=at_least(1), metavar="N", help="Seeds of UMAP and k-means.")] = 3,
    resample: Annotated[
        Literal["genomes", "fragments"], typer.Option(help="What intervals are drawn from.")
    ] = "genomes",
    context: Context = None,
    tables: Annotated[Literal["tsv", "parquet"], typer.Option("--tables", help="What tables are written as.")] = "tsv",
    settings: dict[str, Any],
) -> Path:
    """Cluster fragments of genomes by embeddings, beside baselines."""
    from genolm.tasks.clustering.cluster import cluster as function

    function(
        model,
        genomes,
        out,
        length=length or 5000,
        per_genome=per_genome,
        max_n=max_n,
        labels=labels,
        k=k,
        layer=layer,
        pooling=pooling,
        rc=rc,
        twin=twin,
        reduce=reduce,
        seed=seed,
        repeats=repeats,
        resample=resample,
        context=context,
        tables=tables,
        **settings,
    )
    return out


def _means(out: Path) -> None:
    """Prints the means over seeds."""
    print_table(_rounded(row) for row in _report(out / "cluster.json")["summary"])


CLUSTER = shown(bulk(cluster), _means)


def check(
    generated: Annotated[list[Path], typer.Argument(metavar="GENERATED", help="FASTA of generated sequences.")],
    *,
    reference: Annotated[
        list[Path],
        typer.Option(metavar="FASTA", help="Natural genome to compare with (FASTA, GenBank, EMBL); can be repeated."),
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
    """Check generated DNA: genes, spectra, repeats and novelty."""
    from genolm.tasks.generation.check_generated import check_generated as function
    from genolm.tasks.generation.check_generated import checked

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
        report = _report(out / "check.json")
        print_table(_figure(row) for row in report["figures"])
        tell(checked(report), out)


def _report(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in row.items()}


def _figure(row: Mapping[str, Any]) -> dict[str, Any]:
    """A figure of the three groups with its intervals."""
    return {"figure": row["name"], "unit": row["unit"]} | {
        group: _interval(row[group]) for group in ("generated", "natural", "markov")
    }


def _interval(value: Mapping[str, float | None]) -> str:
    if value["value"] is None:
        return "-"
    ends = "" if value["low"] is None else f" [{value['low']:.4g}, {value['high']:.4g}]"
    return f"{value['value']:.4g}{ends}"
