"""Training and testing of a detector, as run by the engine if a model embeds the sequences. N samples."""

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
from genolm.tasks.reading.vector_readers import ModelOrigin, VectorReaders, VectorTask

_MIN_SEQUENCES = 20  # per class

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Training:
    """Data and settings of a training.

    Attributes:
        natural: FASTA files, one per genome.
        generated: FASTA files of generated sequences.
        provenance: table of generators, decodings and genomes; None without.
        genomes: table of taxa or folds; None without.
        crops: lengths to which generated sequences are cropped.
        features: ``embedding``, ``handmade`` or ``both``.
        rate: target false-positive rate of the threshold.
        folds: number of folds.
        generators: held-out generators.
        decodings: held-out decodings.
        taxa: held-out taxa.
        seed: random seed of pieces, crops, folds and intervals.
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
        """The sequences, the same on every access."""
        return self._read[0]

    @cached_property
    def partition(self) -> Folds:
        """The fold of every sample.

        Raises:
            InputError: folds cannot be made, or there is too little to train on.
        """
        samples, facts = self._read
        partition = make_folds(
            samples, facts, count=self.folds, generators=self.generators, decodings=self.decodings, taxa=self.taxa,
            seed=self.seed,
        )  # fmt: skip
        _check_kinds(self.is_generated, partition)
        return partition

    @property
    def is_generated(self) -> Bools:
        """Whether each sample is generated."""
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
    """Training with embeddings as run by the engine; created by :func:`genolm.detect.train`.

    Attributes:
        training: data and settings.
        readers: vector reader of the model.
        source: description of the embeddings that is stored in the detector.
    """

    training: Training
    readers: VectorReaders
    source: dict[str, Any]
    name: ClassVar[str] = "detect"
    analysis: ClassVar[tuple[str, ...]] = tuple(
        f"training.{name}" for name in ("genomes", "rate", "folds", "generators", "decodings", "taxa")
    )
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """Yield the samples."""
        for sample in self.training.samples:
            yield SequenceRecord(sample.id, sample.sequence)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.training.files()

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[ModelOrigin]], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """Return the features of each sample."""
        embedding = self.readers.columns(items, windows, outputs)["embedding"]
        return feature_frame([item.sequence for item in items], self.training.features, embedding)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Train, test and write the detector."""
        save_detector(self.collect(frames), out)

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """Return the numbers of sequences that the detector was made from."""
        return training_summary(self.training)

    def collect(self, frames: Iterator[pl.DataFrame]) -> Detector:
        """Return the detector."""
        return fit_detector(self.training, pl.concat(list(frames)), self.source)


def training_summary(training: Training) -> Summary:
    """Return the numbers of sequences by class, and of held-out sequences."""
    generated = int(training.is_generated.sum())
    held_out = int((~training.partition.trainable_N).sum())
    kinds = {"natural": len(training.samples) - generated, "generated": generated}
    return Summary({"sequences": len(training.samples)}, kinds, {"held out": held_out} if held_out else {})


def fit_detector(training: Training, features: pl.DataFrame, source: Mapping[str, Any] | None) -> Detector:
    """Fit the detector to everything that is not held out, and report the evaluation.

    Args:
        training: data and settings.
        features: :func:`feature_frame` of the samples.
        source: description of the embeddings; None without.
    """
    samples, partition, generated_N = training.samples, training.partition, training.is_generated
    selected, rate, rows = training.features, training.rate, training.partition.trainable_N
    matrices = feature_matrices(features, selected)
    classifier = fit(matrices[selected][rows], generated_N[rows], partition.fold_N[rows], rate)
    evaluation = evaluated(samples, matrices, selected, generated_N, partition, rate, training.seed)
    flat = evaluation["evaluation"][0]["flat_calibrations"]
    report = {
        **evaluation,
        "folds": fold_table(samples, partition),
        "notes": [*_notes(training), *_flat_notes(classifier, flat, len(np.unique(partition.fold_N)))],
        "settings": _settings(training, source),
    }
    lengths = [len(sample.sequence) for sample, kept in zip(samples, rows) if kept]
    return Detector(classifier, selected, source, min(lengths), max(lengths), rate, report)


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


def _check_kinds(generated_N: Bools, partition: Folds) -> None:
    """Check that both classes are frequent enough whichever two folds are left out."""
    for name, kind_N in (("generated", generated_N), ("natural", ~generated_N)):
        count = int((kind_N & partition.trainable_N).sum())
        if count < _MIN_SEQUENCES:
            raise InputError(f"training a detector requires at least {_MIN_SEQUENCES} {name} sequences", value=count)
        in_folds = {int(fold) for fold in np.unique(partition.fold_N[kind_N & partition.trainable_N])}
        if len(in_folds) < 3:
            raise InputError(
                f"{name} sequences occur in {len(in_folds)} folds: at least 3 are required, from different genomes"
            )


def _notes(training: Training) -> list[str]:
    """Return notes that are needed to interpret the metrics."""
    samples, partition, rate, notes = training.samples, training.partition, training.rate, list[str]()
    natural = sum(not sample.generated and bool(kept) for sample, kept in zip(samples, partition.trainable_N))
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
    count = len({fold for fold in partition.genomes.values() if fold != HELD_OUT})
    if count < training.folds and training.genomes is None:
        notes.append(f"{count} folds instead of {training.folds}: there are no more genomes that share no sequence")
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
