"""Natural against generated DNA: trains a calibrated detector, tests it on other genomes, and applies it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

import genolm
from genolm.engine.progress import Progress
from genolm.engine.target import check_target
from genolm.errors import InputError, ModelError, NetworkError
from genolm.genome.sequences import read_sequences
from genolm.tasks.bulk import Bulk
from genolm.tasks.detection.calls import calls
from genolm.tasks.detection.classifier import Classifier, check_package, fit
from genolm.tasks.detection.features import feature_matrices
from genolm.tasks.detection.folder import FEATURES, Detector, load_detector, save_detector
from genolm.tasks.detection.folds import HELD_OUT, Folds, make_folds
from genolm.tasks.detection.samples import Sample, read_samples
from genolm.tasks.detection.testing import evaluated, fold_table
from genolm.tasks.embed import choose_layers
from genolm.tasks.pooling import PoolingName
from genolm.tasks.tables import SUFFIXES, check_suffix, write_table

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

FeatureName = Literal["embedding", "handmade", "both"]
_RATES = (0.0, 0.5)
_FEWEST = 20  # sequences of either kind

Bools = NDArray[np.bool_]


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
    overwrite: bool = False,
    progress: Progress | bool | None = None,
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
        layer: as of :func:`genolm.embed`, one layer only.
        pooling: as of :func:`genolm.embed`, but ``none``.
        rc: embed both strands.
        context: most bases that go through the model together.
        seed: of pieces, cuts, folds and intervals.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        overwrite: replace a folder that an earlier run wrote.
        progress: True for a bar on standard error.

    Returns:
        ``out``, or without one a :class:`genolm.tasks.detection.folder.Detector`, whose ``report`` holds ``evaluation``
        (detector, baselines and shuffled labels), ``parts`` (by generator, decoding, length and held-out taxon),
        ``folds``, ``notes`` and ``settings``. The detector is trained on all that is not held out; the figures are of
        detectors that had no part of what they were tested on.

    Raises:
        InputError: files that cannot be used, generated records without provenance, folds or held-out taxa that part
            related genomes, too few genomes or sequences, a setting out of its range.
        ModelError: no such model or layer.
        RunError: the output exists.
        GenolmError: scikit-learn is not installed.
    """
    check_package()
    path = None if out is None else Path(out)
    if path is not None:
        check_target(path, overwrite=overwrite)
    wanted = _wanted(features, model)
    _check(rate, folds, crops, pooling)
    samples, facts = read_samples(
        _paths(natural),
        _paths(generated),
        provenance=None if provenance is None else Path(provenance),
        genomes=None if genomes is None else Path(genomes),
        crops=crops,
        seed=seed,
    )
    parted = make_folds(
        samples, facts, count=folds, generators=hold_out_generators, decodings=hold_out_decodings, taxa=hold_out_taxa,
        seed=seed,
    )  # fmt: skip
    generated_N = np.array([sample.generated for sample in samples], bool)
    _check_kinds(generated_N, parted)
    opened = None if model is None or wanted == "handmade" else Bulk(device, dtype).open(model)
    source = None if opened is None else _source(opened, model, layer, pooling, rc, context)
    words: dict[str, Any] = {"token_budget": token_budget, "progress": progress}
    matrices = feature_matrices([sample.sequence for sample in samples], wanted, opened, source, words)
    rows = parted.trainable_N
    classifier = fit(matrices[wanted][rows], generated_N[rows], parted.fold_N[rows], rate)
    figures = evaluated(samples, matrices, wanted, generated_N, parted, rate, seed)
    flat = figures["evaluation"][0]["flat_calibrations"]
    report = {
        **figures,
        "folds": fold_table(samples, parted),
        "notes": [
            *_notes(samples, parted, rate, folds, told=genomes is not None),
            *_flat_notes(classifier, flat, len(np.unique(parted.fold_N))),
        ],
        "settings": {
            "natural": sorted(fact.path.name for fact in facts.values()),
            "generated": sorted(path.name for path in _paths(generated)),
            "features": wanted, "model": source, "rate": rate, "crops": list(crops), "seed": seed,
            "held_out": {
                "generators": list(hold_out_generators), "decodings": list(hold_out_decodings),
                "taxa": list(hold_out_taxa),
            },
            "probability": "of being generated, as if every second sequence were",
            "intervals": "95 %, from resampled genomes",
            "genolm_version": genolm.__version__,
        },
    }  # fmt: skip
    lengths = [len(sample.sequence) for sample, trained in zip(samples, rows) if trained]
    detector = Detector(classifier, wanted, source, min(lengths), max(lengths), rate, report)
    if path is None:
        return detector
    described = {"genolm_version": genolm.__version__, "detector": wanted}
    save_detector(detector, path, described)
    return path


def apply_detector(
    detector: Detector | Path | str,
    inputs: Any,
    out: Path | str | None = None,
    *,
    model: Model | str | Path | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> Any:
    """Calls sequences natural or generated.

    Args:
        detector: what :func:`train_detector` made.
        inputs: FASTA or another source of sequences, or a list of them; ambiguous letters read N.
        out: ``.parquet``, ``.tsv`` or ``.csv``; None returns the table.
        model: the model of the embeddings where it lies elsewhere now; it must be the same.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        overwrite: replace an existing output.
        progress: True for a bar on standard error.

    Returns:
        ``out``, or without one a polars table: ``id``, ``length`` in bases, ``probability`` of being generated, as if
        every second sequence were, ``call`` (``generated`` or ``natural``; none without bases), ``threshold`` and
        ``warning``: a length outside the trained range, many N, or nothing but N.

    Raises:
        InputError: no detector, input that cannot be used, an output of unknown kind.
        ModelError: the model is another one than in training.
        RunError: the output exists.
    """
    path = check_suffix(out, SUFFIXES)
    if path is not None:
        check_target(path, overwrite=overwrite)
    opened = detector if isinstance(detector, Detector) else load_detector(Path(detector))
    network = None if opened.model is None else _same_model(opened, model, Bulk(device, dtype))
    words: dict[str, Any] = {"token_budget": token_budget, "progress": progress}
    frames = calls(opened, network, read_sequences(_place(inputs), iupac="N"), words)
    if path is None:
        return pl.concat(list(frames))
    metadata = {
        "genolm_version": genolm.__version__,
        "detector": "" if isinstance(detector, Detector) else str(Path(detector).name),
        "false_positive_rate": str(opened.rate),
    }
    write_table(frames, path, metadata)
    return path


def _paths(given: Path | str | Sequence[Path | str]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | Path) else [Path(one) for one in given]


def _place(inputs: Any) -> Any:
    return Path(inputs) if isinstance(inputs, str) else inputs


def _wanted(features: FeatureName | None, model: object) -> str:
    wanted = features or ("handmade" if model is None else "both")
    if wanted not in FEATURES:
        raise InputError(f"features is one of {', '.join(FEATURES)}", value=wanted)
    if wanted != "handmade" and model is None:
        raise InputError(f"features {wanted} need a model, --model", value=wanted)
    return wanted


def _check(rate: float, folds: int, crops: Sequence[int], pooling: str) -> None:
    if not _RATES[0] < rate < _RATES[1]:
        raise InputError(f"the false-positive rate is between {_RATES[0]:g} and {_RATES[1]:g}", value=rate)
    if folds < 3:
        raise InputError("there are at least 3 folds: to train, to calibrate and to test", value=folds)
    if any(length < 1 for length in crops):
        raise InputError("sequences are cut to at least 1 base", value=list(crops))
    if pooling == "none":
        raise InputError("a sequence needs one vector: pooling none gives one for every token", value=pooling)


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


def _notes(samples: Sequence[Sample], parted: Folds, rate: float, folds: int, *, told: bool) -> list[str]:
    """What a reader of the figures must know and could overlook."""
    notes = []
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
    if found < folds and not told:
        notes.append(f"{found} folds instead of {folds}: there are no more genomes that share no sequence")
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


def _source(
    model: Model, given: object, layer: int | None, pooling: str, rc: bool, context: int | None
) -> dict[str, Any]:
    """What embeddings come from, as it is written into the detector."""
    return {
        "name": model.card.name,
        "given": str(given) if isinstance(given, str | Path) else None,
        "fingerprint": model.fingerprint,
        "precision": str(model.dtype).removeprefix("torch."),
        "layer": choose_layers(model, layer)[0],
        "pooling": pooling,
        "rc": rc,
        "context": context,
    }


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
