"""Folds by genome: genomes that share sequence stay together, and a split that would part them is refused.

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
"""Genomes are related when one has more than this share of its 28-mers in common with the other."""

HELD_OUT = -1
"""The fold of held-out taxa: nothing is ever trained on it."""

FEWEST = 3

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Folds:
    """Which fold each sample is tested in.

    Attributes:
        fold_N: fold numbers from 0; -1 for held-out taxa.
        trainable_N: whether a sample may be trained on at all.
        group_N: number of the group of related genomes, or of generated sequences of one prompt that name no genome.
        genomes: fold of every genome.
        shared: for every genome the share of its 28-mers that stand in genomes of other folds.
        held_out: taxon of every genome that is held out.
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
    """Puts every sample into the fold of its genome; generated ones that name none into one drawn for their prompt.

    Args:
        samples: all samples.
        facts: the natural genomes.
        count: how many folds there are, unless the table of genomes names them.
        generators: generators that nothing is trained on.
        decodings: decodings that nothing is trained on; some settings of one stand for all that have them.
        taxa: taxa that nothing is trained on.
        seed: of the draws.

    Raises:
        InputError: the table's folds, or the held-out taxa, part related genomes; too few groups of genomes; a name to
            hold out that no sample has.
    """
    _check_names(samples, facts, generators, decodings, taxa)
    related = related_genomes(facts)
    names = list(facts)
    held = {name for name in names if facts[name].taxon in taxa}
    folds = _told_folds(facts, held) or _drawn_folds(samples, names, related, held, count, seed)
    _refuse_parted(names, folds, related)
    if len({fold for fold in folds.values() if fold != HELD_OUT}) < FEWEST:
        raise InputError(
            f"detect needs genomes of at least {FEWEST} kinds that share no sequence: it is trained, calibrated and"
            " tested on different ones; give more genomes"
        )
    groups = _groups(names, related)
    fold_N, group_N = _of_samples(samples, folds, groups, seed)
    closed = [
        one.generator in generators or any(has_settings(one.decoding, wanted) for wanted in decodings)
        for one in samples
    ]
    trainable_N = ~np.array(closed, bool) & (fold_N != HELD_OUT)
    return Folds(
        fold_N, trainable_N, group_N, folds, _shared(facts, folds), {name: facts[name].taxon for name in sorted(held)}
    )


def has_settings(decoding: str, wanted: str) -> bool:
    """Whether a decoding, as ``temperature=1.0 top_k=0 top_p=1.0``, has all the settings of another, in any order."""
    return bool(wanted.split()) and set(wanted.split()) <= set(decoding.split())


def related_genomes(facts: Mapping[str, GenomeFacts]) -> dict[tuple[str, str], float]:
    """Pairs of related genomes and how much the smaller one shares with the other."""
    names = list(facts)
    found = {}
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            share = _containment(facts[one].kmers, facts[other].kmers)
            if share > RELATED:
                found[one, other] = share
    return found


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
    for (kind, names), wanted in zip(known.items(), (generators, decodings, taxa)):
        for name in wanted:
            if not (any(has_settings(one, name) for one in names) if kind == "decoding" else name in names):
                raise InputError(
                    f"no {kind} of this name can be held out; there are {', '.join(sorted(names))}", value=name
                )


def _told_folds(facts: Mapping[str, GenomeFacts], held: set[str]) -> dict[str, int] | None:
    """The folds that the table of genomes names, numbered; None where it names none."""
    told = {name: fact.fold for name, fact in facts.items()}
    if not any(told.values()):
        return None
    for name, fold in told.items():
        if fold is None:
            raise InputError("the table of genomes gives this genome no fold", value=name)
    numbers = {fold: number for number, fold in enumerate(sorted({fold or "" for fold in told.values()}))}
    return {name: HELD_OUT if name in held else numbers[fold or ""] for name, fold in told.items()}


def _drawn_folds(
    samples: Sequence[Sample],
    names: Sequence[str],
    related: Mapping[tuple[str, str], float],
    held: set[str],
    count: int,
    seed: int,
) -> dict[str, int]:
    """Groups of related genomes, the largest first, each into the fold with the fewest natural samples."""
    groups = _groups(names, related)
    sizes = dict.fromkeys(groups.values(), 0)
    for sample in samples:
        if not sample.generated:
            sizes[groups[sample.genome]] += 1
    free = sorted({groups[name] for name in names if name not in held})
    order = np.random.default_rng(seed).permutation(len(free))
    load = np.zeros(max(1, min(count, len(free))), np.int64)
    fold_of: dict[int, int] = {}
    for group in sorted((free[place] for place in order), key=lambda group: -sizes[group]):
        fold_of[group] = int(load.argmin())
        load[fold_of[group]] += max(1, sizes[group])
    return {name: HELD_OUT if name in held else fold_of[groups[name]] for name in names}


def _refuse_parted(names: Sequence[str], folds: Mapping[str, int], related: Mapping[tuple[str, str], float]) -> None:
    for (one, other), share in related.items():
        if folds[one] != folds[other]:
            raise InputError(
                f"{one} and {other} share {share:.0%} of their 28-mers but not their fold, or only one is held out:"
                " what is learned of one would be tested on the other"
            )


def _groups(names: Sequence[str], related: Mapping[tuple[str, str], float]) -> dict[str, int]:
    """The number of each genome's group: genomes that are linked by relations."""
    group = {name: number for number, name in enumerate(names)}
    for one, other in related:
        keep, drop = sorted((group[one], group[other]))
        group = {name: keep if number == drop else number for name, number in group.items()}
    return group


def _of_samples(
    samples: Sequence[Sample], folds: Mapping[str, int], groups: Mapping[str, int], seed: int
) -> tuple[Ints, Ints]:
    """Fold and group of every sample; generated ones that name no genome go by their prompts, or one by one."""
    loose = {_loose(number, sample): 0 for number, sample in enumerate(samples) if sample.genome not in folds}
    turns = np.random.default_rng((seed, 1)).permutation(len(loose)).tolist()
    loose = dict(zip(loose, turns))
    open_folds = sorted({fold for fold in folds.values() if fold != HELD_OUT})
    fold_N, group_N = np.empty(len(samples), np.int64), np.empty(len(samples), np.int64)
    for number, sample in enumerate(samples):
        if sample.genome in folds:
            fold_N[number], group_N[number] = folds[sample.genome], groups[sample.genome]
        else:
            turn = loose[_loose(number, sample)]
            fold_N[number], group_N[number] = open_folds[turn % len(open_folds)], len(folds) + turn
    return fold_N, group_N


def _loose(number: int, sample: Sample) -> str | int:
    return sample.prompt or number


def _shared(facts: Mapping[str, GenomeFacts], folds: Mapping[str, int]) -> dict[str, float]:
    shared = {}
    for fold in sorted(set(folds.values())):
        trained = distinct([facts[name].kmers for name in facts if folds[name] not in (fold, HELD_OUT)])
        for name in (name for name in facts if folds[name] == fold):
            own = facts[name].kmers
            shared[name] = float(is_in(own, trained).mean()) if len(own) and len(trained) else 0.0
    return shared
