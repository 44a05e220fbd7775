"""Training of a calibrated detector of generated DNA, tested on other genomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genolm.engine.analysis import stored_task
from genolm.engine.progress import Progress
from genolm.engine.summary import write_counts
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.labelled.fragments import as_paths
from genolm.tasks.detection.classifier import check_package
from genolm.tasks.detection.detector_features import feature_frame, refuse_engine_options
from genolm.tasks.detection.detector_folder import FEATURES, save_detector
from genolm.tasks.detection.detector_train_task import Training, TrainTask, fit_detector, training_summary
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.embedding import EmbedTask
from genolm.tasks.reading.model_limits import check_layer
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.kept_parts import Request, analysed_by

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

FeatureName = Literal["embedding", "handmade", "both"]
_RATES = (0.0, 0.5)


_FIELDS = {
    "genomes": "genomes",
    "folds": "folds",
    "rate": "rate",
    "hold_out_generators": "generators",
    "hold_out_decodings": "decodings",
    "hold_out_taxa": "taxa",
}
"""Fields of :class:`Training` by the arguments that do not change the features."""


def _analyse(request: Request) -> Any:
    """Train a detector on the features of earlier parts."""
    check_package()
    task = stored_task(request.parts, TrainTask)
    values = {field: request.given[name] for name, field in _FIELDS.items() if name in request.given}
    values |= {name: tuple(values[name]) for name in ("generators", "decodings", "taxa") if name in values}
    table = _path(values.get("genomes"))
    training = replace(task.training, **values if table is None else {**values, "genomes": table})
    _check_training(training.rate, training.folds)
    new = () if table is None else (table,)
    return Bulk(**request.running).analyse(request.parts, replace(task, training=training), request.out, new)


@analysed_by(_analyse, tuple(_FIELDS))
def train_detector(
    natural: Path | str | Sequence[Path | str] | None = None,
    generated: Path | str | Sequence[Path | str] | None = None,
    out: Path | str | None = None,
    *,
    from_: Path | str | None = None,
    model: Model | str | Path | None = None,
    features: FeatureName | None = None,
    provenance: Path | str | None = None,
    genomes: Path | str | None = None,
    folds: int = 5,
    rate: float = 0.01,
    crops: Sequence[int] = (),
    hold_out_generators: Sequence[str] = (),
    hold_out_decodings: Sequence[str] = (),
    hold_out_taxa: Sequence[str] = (),
    layer: int | None = None,
    pooling: PoolingName = "mean",
    rc: bool = False,
    context: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
    keep_parts: bool = False,
) -> Any:
    """Train a detector of generated DNA, and test it on genomes that it was not trained on.

    Native pieces have exactly the lengths of the generated sequences, so that length is uninformative. Folds consist
    of genomes, related ones together; strength, calibration and threshold are chosen within the training folds.
    Tetranucleotide frequencies and shuffled labels are evaluated by the same protocol.

    Args:
        natural: FASTA files of native genomes, one per genome; at least three genomes without shared sequence.
        generated: FASTA as :func:`genolm.generate` writes it; prompts named in headers are removed.
        out: output folder of the detector. None returns it.
        from_: parts of a run with ``keep_parts`` (``OUT.parts``), for another training without the model. Of
            ``genomes``, ``folds``, ``rate`` and what is held out, settings that are omitted are as in the run; no
            other settings can be given.
        model: model for embeddings; None for hand-made features only.
        features: ``embedding``, ``handmade`` or ``both``; None for both with a model, otherwise hand-made.
        provenance: tab-separated table of what headers lack: ``generator``, ``file`` or ``id``, ``decoding``,
            ``genome`` (of the prompt).
        genomes: table with ``genome`` and ``taxon``, ``fold`` or both.
        folds: number of folds, unless the table names them.
        rate: target false-positive rate of the threshold, on native sequence.
        crops: lengths to which generated sequences are cropped at random; empty for no cropping.
        hold_out_generators: generators that are tested but never trained on.
        hold_out_decodings: decodings that are tested but never trained on; ``temperature=1.0 top_k=0`` matches all
            that have these settings.
        hold_out_taxa: taxa, or genomes if no table names taxa, that are tested but never trained on.
        layer: as in :func:`genolm.embed`, a single layer.
        pooling: as in :func:`genolm.embed`, except ``none``.
        rc: embed both strands.
        context: maximum bases per window.
        seed: random seed of pieces, crops, folds and intervals.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts; requires embedding features.
        overwrite: replace the folder of an earlier run.
        shard: ``"i/n"``: embed the i-th of n shares only, for :func:`genolm.merge`, which trains the detector.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate` of the run.
        keep_parts: keep the features in ``OUT.parts`` for ``from_``; requires embedding features.

    Returns:
        ``out``, or without it a :class:`genolm.tasks.detection.detector_folder.Detector`, whose ``report`` holds
        ``evaluation`` (detector, baselines and shuffled labels), ``parts`` (by generator, decoding, length and held-out
        taxon), ``folds``, ``notes`` and ``settings``. The detector is trained on everything that is not held out;
        the evaluation is of detectors that were not trained on the sequences they were tested on.

    Raises:
        InputError: a file is invalid, generated records lack provenance, folds or held-out taxa separate related
            genomes, there are too few genomes or sequences, or a setting is out of range.
        ModelError: the model or layer does not exist.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
        GenolmError: scikit-learn is not installed.
    """
    if natural is None or generated is None:
        raise InputError("natural and generated are required, except with from_")
    check_package()
    path = None if out is None else Path(out)
    if path is not None:
        check_target(path, overwrite=overwrite, resume=resume)
    check_seed(seed)
    selected = _feature_set(features, model)
    _check(crops, pooling)
    _check_training(rate, folds)
    check_layer(layer, several=False)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run, keep_parts)
    embeds = model is not None and selected != "handmade"
    if not embeds:
        refuse_engine_options(bulk)
    training = Training(
        as_paths(natural), as_paths(generated), _path(provenance), _path(genomes), tuple(crops), selected, rate, folds,
        tuple(hold_out_generators), tuple(hold_out_decodings), tuple(hold_out_taxa), seed,
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
        return bulk.concluded(summary, detector, path)
    opened = bulk.open(model, path)
    reader = VectorReader.of(opened, "embedding", layer=layer, pooling=pooling, rc=rc, context=context)
    task = TrainTask(training, VectorReaders((reader,)), _source(reader.embedding, model, context))
    return bulk.run(task, opened, path)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def _feature_set(features: FeatureName | None, model: object) -> str:
    selected = features or ("handmade" if model is None else "both")
    if selected not in FEATURES:
        raise InputError(f"invalid features: expected one of {', '.join(FEATURES)}", value=selected)
    if selected != "handmade" and model is None:
        raise InputError(f"features {selected!r} require a model (--model)", value=selected)
    return selected


def _check_training(rate: float, folds: int) -> None:
    if not _RATES[0] < rate < _RATES[1]:
        raise InputError(f"rate must be between {_RATES[0]:g} and {_RATES[1]:g}, exclusive", value=rate)
    if folds < 3:
        raise InputError("folds must be at least 3 (train, calibrate, test)", value=folds)


def _check(crops: Sequence[int], pooling: PoolingName) -> None:
    if any(length < 1 for length in crops):
        raise InputError("crops must be at least 1", value=list(crops))
    if not Pooling(pooling).reduces:
        raise InputError("pooling must be mean, max, min or last: one vector per sequence is required", value=pooling)


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
