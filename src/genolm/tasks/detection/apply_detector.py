"""Application of a detector of generated DNA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Unpack

from genolm.errors import ModelError, NetworkError
from genolm.models.model import Model
from genolm.parameters import OutputFile, Shown
from genolm.remedies import Remedy
from genolm.tasks.detection.detections import Detections, TrainedDetector
from genolm.tasks.detection.detector_apply_task import CallTask
from genolm.tasks.detection.detector_features import refuse_engine_options
from genolm.tasks.detection.detector_folder import DESCRIPTION, Detector, load_detector
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions, SequenceInput
from genolm.tasks.reading.sources import open_source, refuse_located
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix
from genolm.verbs import verb


@verb(example="genolm detect apply detector unknown.fa calls.tsv")
def apply_detector(
    detector: Detector | TrainedDetector | Path | str,
    inputs: SequenceInput,
    out: OutputFile | None = None,
    *,
    model: Annotated[AnyModel, Shown("MODEL")] | None = None,
    with_prompt: bool = False,
    **run: Unpack[RunOptions],
) -> Detections:
    """Classify sequences as native or generated.

    The result is the probability of being generated and the call for each sequence.

    Prompts named in FASTA headers (``prompt_bases=``) are removed by default, as in training; records without further
    bases are then skipped. Ambiguity codes are read as N. The model must be that of the training.

    Args:
        detector: Detector folder, as written by detect train.
        inputs: Sequences: FASTA, FASTQ, GenBank or EMBL, or - for standard input.
        out: Table to write: .parquet, .tsv or .csv.
        model: Model of the detector. Default: the location recorded in the detector.
        with_prompt: Include the prompts recorded in the FASTA headers; by default they are removed.

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
    bulk = Bulk.of(run)
    if path is not None:
        bulk.check_output(path)
    given = _detector_or_folder(detector)
    in_memory, description = (given, None) if isinstance(given, Detector) else (None, given / DESCRIPTION)
    opened = given if isinstance(given, Detector) else load_detector(given)
    source = open_source(inputs, iupac="N")
    refuse_located(source, "a detector reads sequences")
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
            f"{detector.model['precision']}): the fingerprints differ",
            code="other-model",
            remedy=Remedy("model", purpose="name the model of the detector"),
        )
    return opened


def _open_stored(source: Mapping[str, Any], bulk: Bulk) -> Model:
    problems: list[ModelError | NetworkError] = []
    for location in dict.fromkeys((source["given"], source["name"])):
        if location is not None:
            try:
                return bulk.open(location)
            except (ModelError, NetworkError) as error:
                problems.append(error)
    raise ModelError(
        f"{problems[0].message}; the detector needs this model",
        code=problems[0].code,
        remedy=Remedy("model", purpose="name its current location"),
    )
