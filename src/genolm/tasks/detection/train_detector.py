"""Natural against generated DNA: trains a calibrated detector, tests it on other genomes, and applies it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genolm.engine.progress import Progress
from genolm.engine.summary import write_counts
from genolm.engine.target import check_target, refuse_replacing
from genolm.errors import InputError
from genolm.genome.labelled.fragments import listed
from genolm.tasks.detection.classifier import check_package
from genolm.tasks.detection.detector_features import feature_frame, refuse_engine_options
from genolm.tasks.detection.detector_folder import FEATURES, save_detector
from genolm.tasks.detection.detector_train_task import Training, TrainTask, trained, trained_on
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.embedding import EmbedTask
from genolm.tasks.reading.model_limits import check_layer
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

FeatureName = Literal["embedding", "handmade", "both"]
_RATES = (0.0, 0.5)


def train_detector(
    natural: Path | str | Sequence[Path | str],
    generated: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
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
) -> Any:
    """Trains a detector of generated DNA and tests it on genomes that it was not trained on.

    Natural pieces have exactly the lengths of the generated sequences, so that length tells nothing. Folds are made of
    genomes, related ones together; strength, calibration and threshold come from folds within the training part. Beside
    the detector stand tetranucleotide frequencies and shuffled labels under the same protocol.

    Args:
        natural: FASTA files, one a genome; at least three that share no sequence.
        generated: FASTA as :func:`genolm.generate` writes it; prompts that headers name are cut off.
        out: folder to write: the detector. None returns it.
        model: what embeddings come from; None for hand-made features alone.
        features: ``embedding``, ``handmade`` or ``both``; None for both with a model, else hand-made.
        provenance: table, tab-separated, of what headers do not say: ``generator``, ``file`` or ``id``, ``decoding``,
            ``genome`` (that the prompt came from).
        genomes: table of ``genome`` and ``taxon`` or ``fold`` or both.
        folds: how many, unless the table names them.
        rate: false-positive rate, on natural sequence, that the threshold is set for.
        crops: lengths that generated sequences are cut to at random; empty for whole ones.
        hold_out_generators: generators that are tested but never trained on.
        hold_out_decodings: decodings, likewise; ``temperature=1.0 top_k=0`` stands for all that have these settings.
        hold_out_taxa: taxa, or genomes where no table names taxa, likewise.
        layer: as in :func:`genolm.embed`, one layer only.
        pooling: as in :func:`genolm.embed`, but ``none``.
        rc: embed both strands.
        context: most bases that go through the model together.
        seed: of pieces, cuts, folds and intervals.
        device: device such as ``cuda:0``; None for the best available.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: go on from the finished parts of a killed run; there are such where a model embeds.
        overwrite: replace the folder of an earlier run.
        shard: ``"i/n"``: embed the i-th of n shares only, for :func:`genolm.merge`, which trains.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a :class:`genolm.tasks.detection.detector_folder.Detector`, whose ``report`` holds
        ``evaluation``
        (detector, baselines and shuffled labels), ``parts`` (by generator, decoding, length and held-out taxon),
        ``folds``, ``notes`` and ``settings``. The detector is trained on all that is not held out; the figures are of
        detectors that had no part of what they were tested on.

    Raises:
        InputError: files that cannot be used, generated records without provenance, folds or held-out taxa that part
            related genomes, too few genomes or sequences, a setting out of its range.
        ModelError: no such model or layer.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
        GenolmError: scikit-learn is not installed.
    """
    check_package()
    path = None if out is None else Path(out)
    if path is not None:
        check_target(path, overwrite=overwrite, resume=resume)
    check_seed(seed)
    wanted = _wanted(features, model)
    _check(rate, folds, crops, pooling)
    check_layer(layer, several=False)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    embeds = model is not None and wanted != "handmade"
    if not embeds:
        refuse_engine_options(bulk)
    training = Training(
        listed(natural), listed(generated), _path(provenance), _path(genomes), tuple(crops), wanted, rate, folds,
        tuple(hold_out_generators), tuple(hold_out_decodings), tuple(hold_out_taxa), seed,
    )  # fmt: skip
    if path is not None:
        refuse_replacing(training.files(), path)
    training.parted  # noqa: B018  # whatever is wrong with the input shows before the model is loaded
    if model is None or not embeds:
        sequences = [sample.sequence for sample in training.samples]
        detector = trained(training, feature_frame(sequences, wanted, None), None)
        summary = trained_on(training)
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


def _wanted(features: FeatureName | None, model: object) -> str:
    wanted = features or ("handmade" if model is None else "both")
    if wanted not in FEATURES:
        raise InputError(f"features is one of {', '.join(FEATURES)}", value=wanted)
    if wanted != "handmade" and model is None:
        raise InputError(f"features {wanted} need a model, --model", value=wanted)
    return wanted


def _check(rate: float, folds: int, crops: Sequence[int], pooling: PoolingName) -> None:
    if not _RATES[0] < rate < _RATES[1]:
        raise InputError(f"the false-positive rate is between {_RATES[0]:g} and {_RATES[1]:g}", value=rate)
    if folds < 3:
        raise InputError("there are at least 3 folds: to train, to calibrate and to test", value=folds)
    if any(length < 1 for length in crops):
        raise InputError("sequences are cut to at least 1 base", value=list(crops))
    if not Pooling(pooling).reduces:
        raise InputError("a sequence needs one vector: choose pooling mean, max, min or last", value=pooling)


def _source(embedding: EmbedTask, given: object, context: int | None) -> dict[str, Any]:
    """What embeddings come from, as it is written into the detector."""
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
