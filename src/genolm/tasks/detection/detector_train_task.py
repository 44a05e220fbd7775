"""A detector trained and tested; as the engine runs it where a model embeds. N samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.summary import Summary
from genolm.engine.windows import Window
from genolm.errors import InputError
from genolm.files.version import __version__
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.detection.classifier import Classifier, fit
from genolm.tasks.detection.detector_evaluation import evaluated, fold_table
from genolm.tasks.detection.detector_features import feature_frame, feature_matrices
from genolm.tasks.detection.detector_folder import Detector, save_detector
from genolm.tasks.detection.detector_samples import GenomeFacts, Sample, read_samples
from genolm.tasks.detection.genome_folds import HELD_OUT, Folds, make_folds
from genolm.tasks.reading.embedding import Pooled
from genolm.tasks.reading.vector_readers import VectorReaders, VectorTask

_FEWEST = 20  # sequences of either kind

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Training:
    """What a detector is trained on, and how.

    Attributes:
        natural: FASTA files, one a genome.
        generated: FASTA files of generated sequences.
        provenance: table of generators, decodings and genomes, if there is one.
        genomes: table of taxa or folds, if there is one.
        crops: lengths that generated sequences are cut to.
        features: ``embedding``, ``handmade`` or ``both``.
        rate: false-positive rate that the threshold is set for.
        folds: how many.
        generators: held out.
        decodings: held out.
        taxa: held out.
        seed: of pieces, cuts, folds and intervals.
    """

    natural: tuple[Path, ...]
    generated: tuple[Path, ...]
    provenance: Path | None
    genomes: Path | None
    crops: tuple[int, ...]
    features: str
    rate: float
    folds: int
    generators: tuple[str, ...]
    decodings: tuple[str, ...]
    taxa: tuple[str, ...]
    seed: int

    @property
    def samples(self) -> list[Sample]:
        """The sequences, the same whenever they are read."""
        return self._read[0]

    @cached_property
    def parted(self) -> Folds:
        """The fold of every sample.

        Raises:
            InputError: no folds can be made, or too little is left to train on.
        """
        samples, facts = self._read
        parted = make_folds(
            samples, facts, count=self.folds, generators=self.generators, decodings=self.decodings, taxa=self.taxa,
            seed=self.seed,
        )  # fmt: skip
        _check_kinds(self.is_generated, parted)
        return parted

    @property
    def is_generated(self) -> Bools:
        """Which samples a model wrote."""
        return np.array([sample.generated for sample in self.samples], bool)

    def files(self) -> tuple[Path, ...]:
        """Return the input files."""
        tables = (path for path in (self.provenance, self.genomes) if path is not None)
        return (*self.natural, *self.generated, *tables)

    @cached_property
    def _read(self) -> tuple[list[Sample], dict[str, GenomeFacts]]:
        return read_samples(
            self.natural, self.generated, provenance=self.provenance, genomes=self.genomes, crops=self.crops,
            seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainTask(VectorTask):
    """Training with a model's embeddings as the engine runs it; :func:`genolm.train_detector` makes one.

    Attributes:
        training: on what, and how.
        readers: how the model reads.
        source: what is written into the detector about the model.
    """

    training: Training
    readers: VectorReaders
    source: dict[str, Any]
    name: ClassVar[str] = "detect"
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """The samples."""
        for sample in self.training.samples:
            yield SequenceRecord(sample.id, sample.sequence)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.training.files()

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """The features of each sample."""
        embedding = self.readers.columns(items, windows, outputs)["embedding"]
        return feature_frame([item.sequence for item in items], self.training.features, embedding)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Trains, tests and writes the detector."""
        save_detector(self.collect(frames), out)

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """The sequences that the detector was made from."""
        return trained_on(self.training)

    def collect(self, frames: Iterator[pl.DataFrame]) -> Detector:
        """The detector."""
        return trained(self.training, pl.concat(list(frames)), self.source)


def trained_on(training: Training) -> Summary:
    """How many sequences a detector was made from: by kind, and how many of them were only tested on."""
    generated = int(training.is_generated.sum())
    held_out = int((~training.parted.trainable_N).sum())
    kinds = {"natural": len(training.samples) - generated, "generated": generated}
    return Summary({"sequences": len(training.samples)}, kinds, {"held out": held_out} if held_out else {})


def trained(training: Training, features: pl.DataFrame, source: Mapping[str, Any] | None) -> Detector:
    """The detector, fitted to all that is not held out, and the report of others that were tested.

    Args:
        training: on what, and how.
        features: :func:`feature_frame` of the samples.
        source: what embeddings come from; None where there are none.
    """
    samples, parted, generated_N = training.samples, training.parted, training.is_generated
    wanted, rate, rows = training.features, training.rate, training.parted.trainable_N
    matrices = feature_matrices(features, wanted)
    classifier = fit(matrices[wanted][rows], generated_N[rows], parted.fold_N[rows], rate)
    figures = evaluated(samples, matrices, wanted, generated_N, parted, rate, training.seed)
    flat = figures["evaluation"][0]["flat_calibrations"]
    report = {
        **figures,
        "folds": fold_table(samples, parted),
        "notes": [*_notes(training), *_flat_notes(classifier, flat, len(np.unique(parted.fold_N)))],
        "settings": _settings(training, source),
    }
    lengths = [len(sample.sequence) for sample, kept in zip(samples, rows) if kept]
    return Detector(classifier, wanted, source, min(lengths), max(lengths), rate, report)


def _settings(training: Training, source: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "natural": sorted(path.name for path in training.natural),
        "generated": sorted(path.name for path in training.generated),
        "features": training.features,
        "model": source,
        "rate": training.rate,
        "crops": list(training.crops),
        "seed": training.seed,
        "held_out": {
            "generators": list(training.generators),
            "decodings": list(training.decodings),
            "taxa": list(training.taxa),
        },
        "probability": "of being generated, as if every second sequence were",
        "intervals": "95 %, from resampled genomes",
        "genolm_version": __version__,
    }


def _check_kinds(generated_N: Bools, parted: Folds) -> None:
    """Both kinds are there in number, whichever two folds are left out."""
    for name, kind_N in (("generated", generated_N), ("natural", ~generated_N)):
        count = int((kind_N & parted.trainable_N).sum())
        if count < _FEWEST:
            raise InputError(f"a detector needs at least {_FEWEST} {name} sequences to be trained on", value=count)
        in_folds = {int(fold) for fold in np.unique(parted.fold_N[kind_N & parted.trainable_N])}
        if len(in_folds) < 3:
            raise InputError(
                f"{name} sequences lie in {len(in_folds)} folds; at least 3 are needed, from other genomes"
            )


def _notes(training: Training) -> list[str]:
    """What a reader of the figures must know and could overlook."""
    samples, parted, rate, notes = training.samples, training.parted, training.rate, list[str]()
    natural = sum(not sample.generated and bool(kept) for sample, kept in zip(samples, parted.trainable_N))
    nameless = sum(sample.generated and not sample.genome for sample in samples)
    if nameless:
        notes.append(
            f"{nameless} generated sequences name no genome: they are dealt to folds at random, those of one prompt"
            " together"
        )
    if natural < 1 / rate:
        notes.append(
            f"{natural} natural sequences are too few for a false-positive rate of {rate:g}: the threshold is the"
            " highest of them"
        )
    found = len({fold for fold in parted.genomes.values() if fold != HELD_OUT})
    if found < training.folds and training.genomes is None:
        notes.append(f"{found} folds instead of {training.folds}: there are no more genomes that share no sequence")
    return notes


def _flat_notes(classifier: Classifier, flat: int, count: int) -> list[str]:
    notes = []
    if flat:
        notes.append(
            f"the calibration of {flat} of the {count} tested detectors is flat: they call nothing generated, and their"
            " probabilities say nothing"
        )
    if classifier.flat:
        notes.append("the detector knows nothing: its calibration is flat, and it calls nothing generated")
    return notes
