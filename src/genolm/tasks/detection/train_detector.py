"""Training of a calibrated detector of generated DNA, tested on other genomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from genolm.engine.analysis import stored_task
from genolm.engine.summary import write_counts
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.labelled.fragments import as_paths
from genolm.parameters import AtLeast, Bases, Fasta, KeptParts, ReplacedBy, Seed, Shown
from genolm.remedies import Remedy
from genolm.tasks.detection.classifier import check_package
from genolm.tasks.detection.detections import TrainedDetector
from genolm.tasks.detection.detector_features import feature_frame, refuse_engine_options
from genolm.tasks.detection.detector_folder import save_detector
from genolm.tasks.detection.detector_train_task import Training, TrainTask, fit_detector, training_summary
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions
from genolm.tasks.reading.embedding import EmbedTask
from genolm.tasks.reading.model_limits import check_layer
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.kept_parts import Request, analysed_by
from genolm.verbs import verb

FeatureName = Literal["embedding", "handmade", "both"]
Table = Annotated[Path | str, Shown("TSV")]
_RATES = (0.0, 0.5)


_FIELDS = {
    "genomes": "genomes",
    "folds": "folds",
    "rate": "rate",
    "hold_out_generator": "generators",
    "hold_out_decoding": "decodings",
    "hold_out_taxon": "taxa",
}
"""Fields of :class:`Training` by the arguments that do not change the features."""


def _analyse(request: Request) -> TrainedDetector:
    """Train a detector on the features of earlier parts."""
    check_package()
    task = stored_task(request.parts, TrainTask)
    values = {field: request.given[name] for name, field in _FIELDS.items() if name in request.given}
    values |= {name: _names(values[name]) for name in ("generators", "decodings", "taxa") if name in values}
    table = _path(values.get("genomes"))
    training = replace(task.training, **values if table is None else {**values, "genomes": table})
    _check_rate(training.rate)
    new = () if table is None else (table,)
    task = replace(task, training=training)
    return TrainedDetector(Bulk(**request.running).analyse(request.parts, task, request.out, new), training.features)


@verb(
    example="genolm detect train detector --natural a.fa --natural b.fa --natural c.fa --generated gen.fa",
)
@analysed_by(_analyse, tuple(_FIELDS))
def train_detector(
    out: Annotated[Path | str, Shown("DETECTOR")] | None = None,
    *,
    natural: Annotated[Fasta | Sequence[Fasta] | None, ReplacedBy("from_")] = None,
    generated: Annotated[Fasta | Sequence[Fasta] | None, ReplacedBy("from_")] = None,
    from_: KeptParts | None = None,
    model: Annotated[AnyModel, Shown("MODEL")] | None = None,
    features: FeatureName | None = None,
    provenance: Table | None = None,
    genomes: Table | None = None,
    folds: Annotated[int, AtLeast(3)] = 5,
    rate: Annotated[float, Shown("RATE")] = 0.01,
    crop: Bases | Sequence[Bases] = (),
    hold_out_generator: Annotated[str | Sequence[str], Shown("NAME")] = (),
    hold_out_decoding: Annotated[str | Sequence[str], Shown("SETTINGS")] = (),
    hold_out_taxon: Annotated[str | Sequence[str], Shown("NAME")] = (),
    layer: int | None = None,
    pooling: Literal["mean", "max", "min", "last"] = "mean",
    rc: bool = False,
    context: Bases | None = None,
    seed: Seed = 0,
    **run: Unpack[RunOptions],
) -> TrainedDetector:
    """Train a calibrated detector of generated DNA.

    Cross-validated on genomes that were not used for training. Needs the extra detect.

    Native pieces have exactly the lengths of the generated sequences, so that length is uninformative. Folds consist
    of genomes, related ones together; strength, calibration and threshold are chosen within the training folds.
    Tetranucleotide frequencies and shuffled labels are evaluated by the same protocol. Prompts named in FASTA headers
    are removed.

    Args:
        out: Detector folder to write; it appears when it is complete.
        natural: Native genome; one file for each genome, at least 3.
        generated: FASTA file of generated sequences.
        from_: Parts of a run with `keep_parts` (OUTPUT.parts) to analyse again, without the model. Omitted options
            are as in the run. Genomes, folds, rate and held-out groups may change.
        model: Model for embedding features. Default: none, only handmade features.
        features: Features: embeddings of the model, handmade (k-mers, GC content, entropies, repeats, open reading
            frames), or both. Default: both with a model, otherwise handmade.
        provenance: Table with provenance missing from the FASTA headers: file or id, generator, decoding, genome.
        genomes: Table that assigns each genome a taxon, a fold or both.
        folds: Number of folds of genomes, at least 3.
        rate: False-positive rate that sets the decision threshold.
        crop: Crop generated sequences to this length; of several lengths, one is chosen at random for each sequence.
            Default: no cropping.
        hold_out_generator: Generator to hold out for testing.
        hold_out_decoding: Hold out all sequences with these sampling settings, e.g. "temperature=1.0 top_k=0".
        hold_out_taxon: Taxon or genome to hold out for testing.
        layer: Layer to read: 0 is the embedding layer, -1 the last. Default: the layer recommended by the model card.
        pooling: Reduction of the vectors of all tokens to one vector.
        rc: Average the results of both strands.
        context: Maximum window length in bases. Default: the model's maximum.
        seed: Random seed, 0 or higher.

    Returns:
        The trained detector, in memory or written to the folder ``out``, with the `report` of its evaluation; see
        :class:`genolm.tasks.detection.detections.TrainedDetector`.

    Raises:
        InputError: a file is invalid, generated records lack provenance, folds or held-out taxa separate related
            genomes, there are too few genomes or sequences, or a setting is out of range.
        ModelError: the model or layer does not exist.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
        GenolmError: scikit-learn is not installed.
    """
    if natural is None or generated is None:
        raise InputError(
            "native and generated sequences are required: natural and generated",
            code="missing-argument",
            remedy=Remedy("from_", None, "analyse kept parts"),
        )
    bulk = Bulk.of(run)
    check_package()
    path = None if out is None else Path(out)
    if path is not None:
        check_target(path, overwrite=bulk.overwrite, resume=bulk.resume)
    selected = _feature_set(features, model)
    _check_rate(rate)
    check_layer(layer, several=False)
    embeds = model is not None and selected != "handmade"
    if not embeds:
        refuse_engine_options(bulk)
    training = Training(
        as_paths(natural), as_paths(generated), _path(provenance), _path(genomes),
        (crop,) if isinstance(crop, int) else tuple(crop), selected, rate, folds, _names(hold_out_generator),
        _names(hold_out_decoding), _names(hold_out_taxon), seed,
    )  # fmt: skip
    if path is not None:
        refuse_replacing(training.files(), path)
    training.partition  # noqa: B018  # raises input errors before the model is loaded
    if model is None or not embeds:
        sequences = [sample.sequence for sample in training.samples]
        detector = fit_detector(training, feature_frame(sequences, selected, None), None)
        summary = training_summary(training)
        if path is not None:
            save_detector(detector, path)
            write_counts(detector, path, summary)
        return TrainedDetector(bulk.concluded(summary, detector, path), selected)
    opened = bulk.open(model, path)
    reader = VectorReader.of(opened, "embedding", layer=layer, pooling=pooling, rc=rc, context=context)
    task = TrainTask(training, VectorReaders((reader,)), _source(reader.embedding, model, context))
    return TrainedDetector(bulk.run(task, opened, path), selected)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def _feature_set(features: FeatureName | None, model: object) -> str:
    selected = features or ("handmade" if model is None else "both")
    if selected != "handmade" and model is None:
        raise InputError(
            f"features {selected!r} require a model", value=selected, code="missing-argument", remedy=Remedy("model")
        )
    return selected


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_rate(rate: float) -> None:
    if not _RATES[0] < rate < _RATES[1]:
        raise InputError(f"rate must be between {_RATES[0]:g} and {_RATES[1]:g}, exclusive", value=rate)


def _source(embedding: EmbedTask, given: object, context: int | None) -> dict[str, Any]:
    """Return the description of the embeddings that is stored in the detector."""
    return {
        "name": embedding.provenance.model,
        "given": str(given) if isinstance(given, str | Path) else None,
        "fingerprint": embedding.provenance.fingerprint,
        "precision": embedding.provenance.precision,
        "layer": embedding.layers[0],
        "pooling": embedding.pooling.name,
        "rc": embedding.rc,
        "context": context,
    }
