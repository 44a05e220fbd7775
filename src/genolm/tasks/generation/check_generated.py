"""Check of generated DNA: genes, composition, repeats and novelty, compared with native and Markov sequences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl

from genolm.engine.result import Result
from genolm.engine.summary import Summary, write_counts
from genolm.engine.target import check_target
from genolm.files.output_paths import refuse_replacing
from genolm.files.version import __version__
from genolm.genome.labelled.fragments import as_paths, named_files
from genolm.genome.labelled.generated_records import GeneratedRecord, read_generated, written
from genolm.genome.records import fasta_lines
from genolm.parameters import Between, Fasta, Fraction, OutputFolder, Seed, Shown
from genolm.statistics.bootstrap import Estimate, finite_or_none
from genolm.tasks.generation.check_results import Check
from genolm.tasks.generation.novelty.check_baselines import MAX_ORDER, CheckBaselines, SequenceGroup, read_baselines
from genolm.tasks.generation.novelty.check_page import draw_check, report_page
from genolm.tasks.generation.novelty.gene_finder import GeneFinder
from genolm.tasks.generation.novelty.nearest_sequences import Comparison
from genolm.tasks.generation.novelty.sequence_metrics import (
    DIVERGENCE,
    METRICS,
    Metric,
    divergence,
    measure,
    summarise,
)
from genolm.tasks.writing.figure_sheet import require_matplotlib
from genolm.tasks.writing.output_folders import output_folder, save_picture
from genolm.verbs import verb

GROUPS = ("generated", "natural", "markov")
"""Groups of sequences: the generated ones, pieces of the reference of equal lengths, samples of its Markov model."""


@verb(example="genolm check generated.fa checked --reference genome.fa")
def check(
    generated: Annotated[Path | str | Sequence[Path | str], Shown("GENERATED")],
    out: OutputFolder | None = None,
    *,
    reference: Fasta | Sequence[Fasta],
    training: Fasta | Sequence[Fasta] = (),
    order: Annotated[int, Between(0, MAX_ORDER), Shown("K")] = 3,
    with_prompt: bool = False,
    max_tandem: Fraction = 1.0,
    seed: Seed = 0,
    overwrite: bool = False,
) -> Check:
    """Compare generated DNA with native genomes.

    Measures genes, k-mer spectra, repeats and novelty; baselines are native sequence and a Markov model.

    All metrics have confidence intervals. Genes are those that Pyrodigal finds with its metagenomic models (bacteria,
    archaea and their viruses). Novelty is measured by the 28-mers shared with the training genomes, the longest exact
    match with them on either strand, and the identity (1 - edit distance / length) of the complete sequence at that
    match. Native pieces have the lengths of the generated sequences; a native piece is never compared with the file
    that it comes from.

    Args:
        generated: FASTA files of generated sequences.
        out: Output folder; it appears when it is complete.
        reference: Native genome to compare with: FASTA, GenBank or EMBL, plain or compressed.
        training: Training sequences, to measure novelty. Default: the reference genomes.
        order: Order of the Markov baseline, 0 to 10.
        with_prompt: Include the prompts recorded in the FASTA headers; by default they are removed.
        max_tandem: Maximum fraction of bases in tandem repeats for a sequence to pass the filter.
        seed: Random seed, 0 or higher.
        overwrite: Overwrite existing output.

    Returns:
        The check, in memory or written to the folder ``out``: `figures` with the metrics of all groups, `passed` with
        the counts of the filter, `settings`, and the table `sequences`; see
        :class:`genolm.tasks.generation.check_results.Check`.

    Raises:
        InputError: a file cannot be read, no record has a new base, the reference is too short for the lengths, or a
            setting is out of range.
        RunError: the output exists, or is a folder that holds an input.
        GenolmError: pyrodigal, edlib or matplotlib is not installed.
    """
    path = None if out is None else Path(out)
    finder = GeneFinder()
    if path is not None:
        require_matplotlib("check")
        check_target(path, overwrite=overwrite)
        refuse_replacing((*as_paths(generated), *as_paths(reference), *as_paths(training)), path)
    generated_records = read_generated(as_paths(generated), with_prompt=with_prompt)
    records = written(generated_records)
    natural_files = named_files(as_paths(reference))
    training_files = named_files(as_paths(training) or as_paths(reference))
    baselines = read_baselines(records, natural_files, order, seed)
    tables = _measure_groups(_groups(records, baselines), training_files, finder)
    report = {
        "figures": _metrics(_groups(records, baselines), tables, baselines.tetranucleotides, seed),
        "passed": _filter_counts(tables["generated"], len(generated_records) - len(records), max_tandem),
        "settings": _settings(records, natural_files, training_files, order, with_prompt, max_tandem, seed),
    }
    sequences = _per_sequence(_groups(records, baselines), tables, max_tandem)
    summary = checked(report)
    if path is not None:
        check_target(path, overwrite=overwrite)  # again: another process may have created it meanwhile
        _write(path, report, sequences, records)
    made = {**report, "sequences": sequences} if path is None else None
    return Check(Result(path, made, len(generated_records), 1, 1, summary=summary))


def check_packages() -> None:
    """Check that all packages of a check are installed.

    Raises:
        GenolmError: pyrodigal, edlib or matplotlib is not installed.
    """
    GeneFinder()
    Comparison([], [])
    require_matplotlib("check")


def _groups(records: Sequence[GeneratedRecord], baselines: CheckBaselines) -> dict[str, SequenceGroup]:
    generated_records = SequenceGroup(
        [one.id for one in records], [one.sequence for one in records], [None] * len(records)
    )
    return dict(zip(GROUPS, (generated_records, baselines.natural, baselines.markov)))


def _measure_groups(
    groups: Mapping[str, SequenceGroup], training: Mapping[str, Path], finder: GeneFinder
) -> dict[str, pl.DataFrame]:
    sequences = [sequence for group in groups.values() for sequence in group.sequences]
    comparison = Comparison(sequences, [origin for group in groups.values() for origin in group.origins])
    for path in training.values():
        comparison.add(path)
    nearest = iter(comparison.nearest())
    return {
        name: measure(group.sequences, finder, [next(nearest) for _ in group.sequences])
        for name, group in groups.items()
    }


def _metrics(
    groups: Mapping[str, SequenceGroup],
    tables: Mapping[str, pl.DataFrame],
    reference_F: np.ndarray[Any, np.dtype[np.float64]],
    seed: int,
) -> list[dict[str, Any]]:
    values = {
        name: {**summarise(tables[name], seed), DIVERGENCE.name: divergence(group.sequences, reference_F, seed)}
        for name, group in groups.items()
    }
    order: tuple[Metric, ...] = (*METRICS[:2], DIVERGENCE, *METRICS[2:])
    return [
        {"name": metric.name, "unit": metric.unit, "about": metric.about}
        | {name: _plain(values[name][metric.name]) for name in groups}
        for metric in order
    ]


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return {name: finite_or_none(value) for name, value in estimate._asdict().items()}


def _filter_counts(rows: pl.DataFrame, empty: int, max_tandem: float) -> dict[str, int]:
    kept = rows.filter(~pl.col("duplicate"))
    passed = kept.filter(pl.col("tandem") <= max_tandem * pl.col("length"))
    return {
        "sequences": len(rows) + empty,
        "empty_dropped": empty,
        "duplicates_dropped": len(rows) - len(kept),
        "repeats_dropped": len(kept) - len(passed),
        "passed": len(passed),
    }


def checked(report: Mapping[str, Any]) -> Summary:
    """Return the counts of a check: sequences that pass, and those that do not, by reason."""
    counts = report["passed"]
    outcomes = {name.replace("_dropped", ""): count for name, count in counts.items() if name != "sequences"}
    return Summary({"sequences": counts["sequences"]}, outcomes)


def _per_sequence(
    groups: Mapping[str, SequenceGroup], tables: Mapping[str, pl.DataFrame], max_tandem: float
) -> pl.DataFrame:
    frames = [
        tables[name].select(pl.lit(name).alias("group"), pl.Series("id", group.ids), pl.all())
        for name, group in groups.items()
    ]
    passes = ~pl.col("duplicate") & (pl.col("tandem") <= max_tandem * pl.col("length"))
    return pl.concat(frames).with_columns(passes=passes)


def _settings(
    records: Sequence[GeneratedRecord],
    reference: Mapping[str, Path],
    training: Mapping[str, Path],
    order: int,
    with_prompt: bool,
    max_tandem: float,
    seed: int,
) -> dict[str, Any]:
    return {
        "generated": sorted({record.file.name for record in records}),
        "generators": sorted({record.generator for record in records if record.generator}),
        "decodings": sorted({record.decoding for record in records if record.decoding}),
        "reference": sorted(path.name for path in reference.values()),
        "training": sorted(path.name for path in training.values()),
        "markov_order": order,
        "with_prompt": with_prompt,
        "max_tandem": max_tandem,
        "seed": seed,
        "intervals": "95 %, from resampled sequences",
        "genolm_version": __version__,
    }


def _write(path: Path, report: Mapping[str, Any], sequences: pl.DataFrame, records: Sequence[GeneratedRecord]) -> None:
    metadata = {"checked": "generated DNA", **{name: json.dumps(value) for name, value in report["settings"].items()}}
    passed = sequences.filter(pl.col("group") == "generated")["passes"].to_list()
    with output_folder(path, metadata) as folder:
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "check.json").write_text(f"{text}\n", "utf-8")
        sequences.write_csv(folder / "sequences.tsv", separator="\t")
        with (folder / "passed.fa").open("w", encoding="utf-8", newline="\n") as file:
            for record in (record for record, passes in zip(records, passed) if passes):
                file.writelines(fasta_lines(f"{record.id} {record.about}".rstrip(), record.sequence))
        save_picture(draw_check(sequences), folder / "check.png")
        (folder / "check.html").write_text(report_page(report, folder / "check.png"), "utf-8")
        write_counts(None, folder, checked(report))
