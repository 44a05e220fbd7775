"""Generated DNA checked: genes, spectra, repeats and novelty, beside natural and Markov sequence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genolm.engine.summary import Summary, write_counts
from genolm.engine.target import check_target, refuse_replacing
from genolm.errors import InputError
from genolm.files.version import __version__
from genolm.genome.labelled.fragments import listed, named_files
from genolm.genome.labelled.generated_records import Generated, read_generated, written
from genolm.statistics.bootstrap import Estimate, finite_or_none
from genolm.tasks.generation.generation_requests import write_fasta_record
from genolm.tasks.generation.novelty.check_baselines import MOST_ORDER, CheckBaselines, SequenceGroup, read_baselines
from genolm.tasks.generation.novelty.check_page import draw_check, written_page
from genolm.tasks.generation.novelty.gene_finder import GeneFinder
from genolm.tasks.generation.novelty.nearest_sequences import Comparison
from genolm.tasks.generation.novelty.sequence_metrics import (
    DIVERGENCE,
    FIGURES,
    Figure,
    divergence,
    measure,
    summarise,
)
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.writing.figure_sheet import require_matplotlib
from genolm.tasks.writing.output_folders import save_picture, whole_folder

GROUPS = ("generated", "natural", "markov")
"""What is compared: the given sequences, pieces of the reference of their lengths, draws of its Markov model."""


def check_generated(
    generated: Path | str | Sequence[Path | str],
    reference: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    training: Path | str | Sequence[Path | str] | None = None,
    order: int = 3,
    with_prompt: bool = False,
    max_tandem: float = 1.0,
    seed: int = 0,
    overwrite: bool = False,
) -> Any:
    """Measures generated DNA; every figure has natural sequence and a Markov model's beside it, and an interval.

    Genes are those that Pyrodigal finds with its metagenomic models (bacteria, archaea and their viruses). Novelty is
    told by the 28-mers shared with the training genomes, the longest exact match with them on either strand, and the
    identity (1 - edit distance / length) of the whole sequence where that match puts it.

    Args:
        generated: FASTA as :func:`genolm.generate` writes it, or any other; prompts named in headers are cut off.
        reference: natural FASTA files, one a genome. Pieces of the lengths of the generated sequences are drawn there,
            and the Markov model is counted there.
        out: folder to write: ``check.json``, ``check.html``, ``check.png``, ``sequences.tsv`` and ``passed.fa``. None
            returns the report.
        training: FASTA files that novelty is measured against; None for the reference. A natural piece is never
            compared with the file that it was cut from.
        order: bases that the Markov model looks back, 0 to 10.
        with_prompt: check prompts too.
        max_tandem: sequences with a larger share of bases in tandem repeats do not pass, nor do duplicates.
        seed: of pieces, draws and intervals.
        overwrite: replace the folder of an earlier run.

    Returns:
        ``out``, or without one a dict: ``figures``, a list of mappings with ``name``, ``unit``, ``about`` and for each
        of ``generated``, ``natural`` and ``markov`` ``value, low, high`` (95 % interval from resampled sequences; None
        where there is none); ``passed``, counts of the filter; ``settings``; ``sequences``, a polars table.

    Raises:
        InputError: a file that cannot be read, no record with a new base, a reference without room for the lengths,
            a setting out of its range.
        RunError: the output exists, or is a folder that holds an input.
        GenolmError: pyrodigal, edlib or matplotlib is not installed.
    """
    path = None if out is None else Path(out)
    _check_settings(order, max_tandem)
    check_seed(seed)
    finder = GeneFinder()
    if path is not None:
        require_matplotlib("check")
        check_target(path, overwrite=overwrite)
        refuse_replacing((*listed(generated), *listed(reference), *listed(training or ())), path)
    given = read_generated(listed(generated), with_prompt=with_prompt)
    records = written(given)
    natural_files = named_files(listed(reference))
    training_files = natural_files if training is None else named_files(listed(training))
    sides = read_baselines(records, natural_files, order, seed)
    tables = _measured(_groups(records, sides), training_files, finder)
    report = {
        "figures": _figures(_groups(records, sides), tables, sides.tetranucleotides, seed),
        "passed": _filtered(tables["generated"], len(given) - len(records), max_tandem),
        "settings": _settings(records, natural_files, training_files, order, with_prompt, max_tandem, seed),
    }
    sequences = _per_sequence(_groups(records, sides), tables, max_tandem)
    if path is None:
        return {**report, "sequences": sequences}
    check_target(path, overwrite=overwrite)  # again: another check may have written it meanwhile
    _write(path, report, sequences, records)
    return path


def check_packages() -> None:
    """Says which package a check would lack.

    Raises:
        GenolmError: pyrodigal, edlib or matplotlib is not installed.
    """
    GeneFinder()
    Comparison([], [])
    require_matplotlib("check")


def _check_settings(order: int, max_tandem: float) -> None:
    if not 0 <= order <= MOST_ORDER:
        raise InputError(f"the order of the Markov model is from 0 to {MOST_ORDER}", value=order)
    if not 0 <= max_tandem <= 1:
        raise InputError("max_tandem is a share from 0 to 1", value=max_tandem)


def _groups(records: Sequence[Generated], sides: CheckBaselines) -> dict[str, SequenceGroup]:
    given = SequenceGroup([one.id for one in records], [one.sequence for one in records], [None] * len(records))
    return dict(zip(GROUPS, (given, sides.natural, sides.markov)))


def _measured(
    groups: Mapping[str, SequenceGroup], training: Mapping[str, Path], finder: GeneFinder
) -> dict[str, pl.DataFrame]:
    everything = [sequence for group in groups.values() for sequence in group.sequences]
    compared = Comparison(everything, [own for group in groups.values() for own in group.own])
    for path in training.values():
        compared.add(path)
    nearest = iter(compared.nearest())
    return {
        name: measure(group.sequences, finder, [next(nearest) for _ in group.sequences])
        for name, group in groups.items()
    }


def _figures(
    groups: Mapping[str, SequenceGroup],
    tables: Mapping[str, pl.DataFrame],
    reference_F: np.ndarray[Any, np.dtype[np.float64]],
    seed: int,
) -> list[dict[str, Any]]:
    values = {
        name: {**summarise(tables[name], seed), DIVERGENCE.name: divergence(group.sequences, reference_F, seed)}
        for name, group in groups.items()
    }
    order: tuple[Figure, ...] = (*FIGURES[:2], DIVERGENCE, *FIGURES[2:])
    return [
        {"name": figure.name, "unit": figure.unit, "about": figure.about}
        | {name: _plain(values[name][figure.name]) for name in groups}
        for figure in order
    ]


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return {name: finite_or_none(value) for name, value in estimate._asdict().items()}


def _filtered(rows: pl.DataFrame, empty: int, max_tandem: float) -> dict[str, int]:
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
    """What a check's report says in numbers: sequences that pass, and those that do not, by reason."""
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
    records: Sequence[Generated],
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


def _write(path: Path, report: Mapping[str, Any], sequences: pl.DataFrame, records: Sequence[Generated]) -> None:
    described = {"checked": "generated DNA", **{name: json.dumps(value) for name, value in report["settings"].items()}}
    passed = sequences.filter(pl.col("group") == "generated")["passes"].to_list()
    with whole_folder(path, described) as folder:
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "check.json").write_text(f"{text}\n", "utf-8")
        sequences.write_csv(folder / "sequences.tsv", separator="\t")
        with (folder / "passed.fa").open("w", encoding="utf-8", newline="\n") as file:
            for record in (record for record, passes in zip(records, passed) if passes):
                write_fasta_record(file, f"{record.id} {record.about}".rstrip(), record.sequence)
        save_picture(draw_check(sequences), folder / "check.png")
        (folder / "check.html").write_text(written_page(report, folder / "check.png"), "utf-8")
        write_counts(None, folder, checked(report))
