"""Application of a detector of generated DNA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.progress import Progress
from genolm.errors import ModelError, NetworkError
from genolm.genome.in_memory import Sequences
from genolm.tasks.detection.detections import Detections, TrainedDetector
from genolm.tasks.detection.detector_apply_task import CallTask
from genolm.tasks.detection.detector_features import refuse_engine_options
from genolm.tasks.detection.detector_folder import DESCRIPTION, Detector, load_detector
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import open_source
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


def apply_detector(
    detector: Detector | TrainedDetector | Path | str,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    model: Model | str | Path | None = None,
    with_prompt: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Detections:
    """Classify sequences as native or generated.

    Args:
        detector: a detector of :func:`train_detector`, or its folder.
        inputs: FASTA or another source of sequences, or a dict or list of them; ambiguity codes are read as N.
        out: ``.parquet``, ``.tsv`` or ``.csv``; None returns the table.
        model: the model of the embeddings, if it was moved; it must be the same model.
        with_prompt: include prompts named in FASTA headers (``prompt_bases=``). By default they are removed, as in
            training, and records without further bases are skipped.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts; requires embedding features.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        The calls, in memory or written to ``out``; `table` has the columns of
        :class:`genolm.tasks.detection.detections.Detections`.

    Raises:
        InputError: the folder is not a detector, the input is invalid, or the output format is not supported.
        ModelError: the model differs from that of the training.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    path = check_suffix(out, SUFFIXES)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if path is not None:
        bulk.check_output(path)
    given = _detector_or_folder(detector)
    in_memory, description = (given, None) if isinstance(given, Detector) else (None, given / DESCRIPTION)
    opened = given if isinstance(given, Detector) else load_detector(given)
    source = open_source(inputs, iupac="N")
    if opened.model is None:
        refuse_engine_options(bulk)
        task = CallTask(source, description, in_memory, VectorReaders(()), with_prompt)
        return Detections(bulk.run_without_engine(task, task.direct(), path), opened.features)
    network = _detector_model(opened, model, bulk)
    settings = {name: opened.model[name] for name in ("layer", "pooling", "rc", "context")}
    reader = VectorReader.of(network, "embedding", **settings)
    task = CallTask(source, description, in_memory, VectorReaders((reader,)), with_prompt)
    return Detections(bulk.run(task, network, path), opened.features)


def _detector_or_folder(detector: Detector | TrainedDetector | Path | str) -> Detector | Path:
    """Return the detector if it is in memory, else its folder."""
    if isinstance(detector, TrainedDetector) and detector.path is None:
        return detector.detector
    return detector if isinstance(detector, Detector) else Path(detector)


def _detector_model(detector: Detector, model: Model | str | Path | None, bulk: Bulk) -> Model:
    """Open the detector's model: the given one, else that of the path used in training, else that of its name."""
    assert detector.model is not None
    opened = _open_stored(detector.model, bulk) if model is None else bulk.open(model)
    if opened.fingerprint != detector.model["fingerprint"]:
        raise ModelError(
            f"{opened.card.name} is not the model of the detector ({detector.model['name']} in "
            f"{detector.model['precision']}): the fingerprints differ; pass the model of the detector (--model, model=)"
        )
    return opened


def _open_stored(source: Mapping[str, Any], bulk: Bulk) -> Model:
    problems = []
    for location in dict.fromkeys((source["given"], source["name"])):
        if location is not None:
            try:
                return bulk.open(location)
            except (ModelError, NetworkError) as error:
                problems.append(str(error))
    raise ModelError(f"{problems[0]}; the detector needs this model: pass its current location (--model, model=)")
