"""Apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.progress import Progress
from genolm.errors import ModelError, NetworkError
from genolm.genome.in_memory import Sequences
from genolm.tasks.detection.detector_apply_task import CallTask
from genolm.tasks.detection.detector_features import refuse_engine_options
from genolm.tasks.detection.detector_folder import DESCRIPTION, Detector, load_detector
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import settle
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


def apply_detector(
    detector: Detector | Path | str,
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
) -> Any:
    """Calls sequences natural or generated.

    Args:
        detector: what :func:`train_detector` made.
        inputs: FASTA or another source of sequences, or a dict or list of them; ambiguous letters read N.
        out: ``.parquet``, ``.tsv`` or ``.csv``; None returns the table.
        model: the model of the embeddings where it lies elsewhere now; it must be the same.
        with_prompt: call the bases that a FASTA header says were given (``prompt_bases=``) together with what follows
            them. They are cut off otherwise, as in training; a record of nothing else is passed over.
        device: device such as ``cuda:0``; None for the best available.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: go on from the finished parts of a killed run; there are such where a model embeds.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table: ``id``, ``length`` in bases, ``probability`` of being generated, as if
        every second sequence were, ``call`` (``generated`` or ``natural``; none without bases), ``threshold`` and
        ``warning``: a length outside the trained range, many N, or nothing but N.

    Raises:
        InputError: no detector, input that cannot be used, an output of unknown kind.
        ModelError: the model is another one than in training.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    path = check_suffix(out, SUFFIXES)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if path is not None:
        bulk.check_output(path)
    given, place = (detector, None) if isinstance(detector, Detector) else (None, Path(detector) / DESCRIPTION)
    opened = detector if isinstance(detector, Detector) else load_detector(Path(detector))
    source = settle(inputs, iupac="N")
    if opened.model is None:
        refuse_engine_options(bulk)
        task = CallTask(source, place, given, VectorReaders(()), with_prompt)
        return bulk.run_without_engine(task, task.direct(), path)
    network = _same_model(opened, model, bulk)
    how = {name: opened.model[name] for name in ("layer", "pooling", "rc", "context")}
    reader = VectorReader.of(network, "embedding", **how)
    return bulk.run(CallTask(source, place, given, VectorReaders((reader,)), with_prompt), network, path)


def _same_model(detector: Detector, model: Model | str | Path | None, bulk: Bulk) -> Model:
    """The detector's model: the one that is told, else where it was when the detector was trained, else by its name."""
    assert detector.model is not None
    opened = _found(detector.model, bulk) if model is None else bulk.open(model)
    if opened.fingerprint != detector.model["fingerprint"]:
        raise ModelError(
            f"{opened.card.name} is not the model that the detector was trained with, {detector.model['name']} in "
            f"{detector.model['precision']}: their fingerprints differ; --model (model=) says where that one lies"
        )
    return opened


def _found(source: Mapping[str, Any], bulk: Bulk) -> Model:
    problems = []
    for place in dict.fromkeys((source["given"], source["name"])):
        if place is not None:
            try:
                return bulk.open(place)
            except (ModelError, NetworkError) as error:
                problems.append(str(error))
    raise ModelError(f"{problems[0]}; the detector was trained with it: --model (model=) says where it lies now")
