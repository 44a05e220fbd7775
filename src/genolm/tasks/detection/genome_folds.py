"""Folds by genome: genomes that share sequence stay together, and a split that separates them is refused.

N samples, G genomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.kmers import Codes, distinct, is_in
from genolm.tasks.detection.detector_samples import GenomeFacts, Sample

RELATED = 0.05
"""Genomes are related if one shares more than this part of its 28-mers with the other."""

HELD_OUT = -1
"""Fold of held-out taxa, which are never trained on."""

MIN_FOLDS = 3

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Folds:
    """Fold of each sample.

    Attributes:
        fold_N: fold numbers from 0; -1 for held-out taxa.
        trainable_N: whether a sample may be trained on.
        group_N: group of related genomes, or of generated sequences of one prompt without a genome.
        genomes: fold of every genome.
        shared: share of each genome's 28-mers that occur in genomes of other folds.
        held_out: taxon of every held-out genome.
    """

    fold_N: Ints
    trainable_N: NDArray[np.bool_]
    group_N: Ints
    genomes: Mapping[str, int]
    shared: Mapping[str, float]
    held_out: Mapping[str, str]


def make_folds(
    samples: Sequence[Sample],
    facts: Mapping[str, GenomeFacts],
    *,
    count: int,
    generators: Sequence[str] = (),
    decodings: Sequence[str] = (),
    taxa: Sequence[str] = (),
    seed: int = 0,
) -> Folds:
    """Assign every sample to the fold of its genome; generated samples without a genome to a random fold per prompt.

    Args:
        samples: all samples.
        facts: the natural genomes.
        count: number of folds, unless the table of genomes names them.
        generators: generators to hold out.
        decodings: decodings to hold out; a subset of settings matches all decodings that have them.
        taxa: taxa to hold out.
        seed: random seed.

    Raises:
        InputError: folds of the table or held-out taxa separate related genomes, there are too few groups of genomes,
            or no sample has a name to hold out.
    """
    _check_names(samples, facts, generators, decodings, taxa)
    related = related_genomes(facts)
    names = list(facts)
    excluded_genomes = {name for name in names if facts[name].taxon in taxa}
    folds = _table_folds(facts, excluded_genomes) or _random_folds(
        samples, names, related, excluded_genomes, count, seed
    )
    _check_separation(names, folds, related)
    if len({fold for fold in folds.values() if fold != HELD_OUT}) < MIN_FOLDS:
        raise InputError(
            f"too few genomes: training, calibration and testing require at least {MIN_FOLDS} groups of genomes"
            " that share no sequence"
        )
    groups = _groups(names, related)
    fold_N, group_N = _of_samples(samples, folds, groups, seed)
    excluded = [
        one.generator in generators or any(has_settings(one.decoding, settings) for settings in decodings)
        for one in samples
    ]
    trainable_N = ~np.array(excluded, bool) & (fold_N != HELD_OUT)
    return Folds(
        fold_N,
        trainable_N,
        group_N,
        folds,
        _shared(facts, folds),
        {name: facts[name].taxon for name in sorted(excluded_genomes)},
    )


def has_settings(decoding: str, settings: str) -> bool:
    """Return whether a decoding such as ``temperature=1.0 top_k=0 top_p=1.0`` has all settings of another."""
    return bool(settings.split()) and set(settings.split()) <= set(decoding.split())


def related_genomes(facts: Mapping[str, GenomeFacts]) -> dict[tuple[str, str], float]:
    """Return pairs of related genomes and the share of the smaller one's 28-mers that the other has."""
    names = list(facts)
    related = {}
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            share = _containment(facts[one].kmers, facts[other].kmers)
            if share > RELATED:
                related[one, other] = share
    return related


def _containment(one: Codes, other: Codes) -> float:
    small, large = sorted((one, other), key=len)
    return float(is_in(small, large).mean()) if len(small) and len(large) else 0.0


def _check_names(
    samples: Sequence[Sample],
    facts: Mapping[str, GenomeFacts],
    generators: Sequence[str],
    decodings: Sequence[str],
    taxa: Sequence[str],
) -> None:
    known = {
        "generator": {one.generator for one in samples} - {""},
        "decoding": {one.decoding for one in samples} - {""},
        "taxon": {one.taxon for one in facts.values()},
    }
    for (kind, names), settings in zip(known.items(), (generators, decodings, taxa)):
        for name in settings:
            if not (any(has_settings(one, name) for one in names) if kind == "decoding" else name in names):
                raise InputError(f"unknown {kind} to hold out: expected one of {', '.join(sorted(names))}", value=name)


def _table_folds(facts: Mapping[str, GenomeFacts], excluded_genomes: set[str]) -> dict[str, int] | None:
    """Return the folds of the table of genomes as numbers; None if it has none."""
    named = {name: fact.fold for name, fact in facts.items()}
    if not any(named.values()):
        return None
    for name, fold in named.items():
        if fold is None:
            raise InputError("the table of genomes has no fold for this genome", value=name)
    numbers = {fold: number for number, fold in enumerate(sorted({fold or "" for fold in named.values()}))}
    return {name: HELD_OUT if name in excluded_genomes else numbers[fold or ""] for name, fold in named.items()}


def _random_folds(
    samples: Sequence[Sample],
    names: Sequence[str],
    related: Mapping[tuple[str, str], float],
    excluded_genomes: set[str],
    count: int,
    seed: int,
) -> dict[str, int]:
    """Assign groups of related genomes, largest first, to the fold with the fewest natural samples."""
    groups = _groups(names, related)
    sizes = dict.fromkeys(groups.values(), 0)
    for sample in samples:
        if not sample.generated:
            sizes[groups[sample.genome]] += 1
    free = sorted({groups[name] for name in names if name not in excluded_genomes})
    order = np.random.default_rng(seed).permutation(len(free))
    load = np.zeros(max(1, min(count, len(free))), np.int64)
    fold_of: dict[int, int] = {}
    for group in sorted((free[index] for index in order), key=lambda group: -sizes[group]):
        fold_of[group] = int(load.argmin())
        load[fold_of[group]] += max(1, sizes[group])
    return {name: HELD_OUT if name in excluded_genomes else fold_of[groups[name]] for name in names}


def _check_separation(names: Sequence[str], folds: Mapping[str, int], related: Mapping[tuple[str, str], float]) -> None:
    for (one, other), share in related.items():
        if folds[one] != folds[other]:
            raise InputError(
                f"{one} and {other} share {share:.0%} of their 28-mers, but are in different folds or only one is held"
                " out: training on one would leak into the test on the other"
            )


def _groups(names: Sequence[str], related: Mapping[tuple[str, str], float]) -> dict[str, int]:
    """Return the group of each genome: connected components of the relations."""
    group = {name: number for number, name in enumerate(names)}
    for one, other in related:
        keep, drop = sorted((group[one], group[other]))
        group = {name: keep if number == drop else number for name, number in group.items()}
    return group


def _of_samples(
    samples: Sequence[Sample], folds: Mapping[str, int], groups: Mapping[str, int], seed: int
) -> tuple[Ints, Ints]:
    """Return fold and group of every sample; generated samples without a genome are grouped by prompt."""
    ungrouped = {_prompt_key(number, sample): 0 for number, sample in enumerate(samples) if sample.genome not in folds}
    order = np.random.default_rng((seed, 1)).permutation(len(ungrouped)).tolist()
    ungrouped = dict(zip(ungrouped, order))
    open_folds = sorted({fold for fold in folds.values() if fold != HELD_OUT})
    fold_N, group_N = np.empty(len(samples), np.int64), np.empty(len(samples), np.int64)
    for number, sample in enumerate(samples):
        if sample.genome in folds:
            fold_N[number], group_N[number] = folds[sample.genome], groups[sample.genome]
        else:
            rank = ungrouped[_prompt_key(number, sample)]
            fold_N[number], group_N[number] = open_folds[rank % len(open_folds)], len(folds) + rank
    return fold_N, group_N


def _prompt_key(number: int, sample: Sample) -> str | int:
    return sample.prompt or number


def _shared(facts: Mapping[str, GenomeFacts], folds: Mapping[str, int]) -> dict[str, float]:
    shared = {}
    for fold in sorted(set(folds.values())):
        trained = distinct([facts[name].kmers for name in facts if folds[name] not in (fold, HELD_OUT)])
        for name in (name for name in facts if folds[name] == fold):
            kmers = facts[name].kmers
            shared[name] = float(is_in(kmers, trained).mean()) if len(kmers) and len(trained) else 0.0
    return shared
