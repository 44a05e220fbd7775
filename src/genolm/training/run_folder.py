"""The folder of a training run: it belongs to one recipe, and holds at most one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from genolm.engine.lock import locked
from genolm.errors import RunError
from genolm.training.recipe import Recipe
from genolm.training.run_log import RunLog
from genolm.training.schedule import tokens_until


def fingerprint_of(recipe: Recipe) -> str:
    """SHA-256 of what decides the weights."""
    return hashlib.sha256(json.dumps(_told(recipe), sort_keys=True, default=str).encode()).hexdigest()


def trained(out: Path, recipe: Recipe) -> str:
    """One line on a finished run: steps, tokens, and bits per base of the held-out splits; read from its log."""
    lines = RunLog(out / "log.jsonl").lines()
    step = lines[-1]["step"]
    held_out = next(line["held_out_bits_per_base"] for line in reversed(lines) if "held_out_bits_per_base" in line)
    bits = ", ".join(f"{name} {value:.4f}" for name, value in held_out.items())
    return f"{step:,} steps, {tokens_until(step, recipe):,} tokens; held-out bits per base: {bits}"


def check_claim(out: Path, recipe: Recipe, resume: bool) -> None:
    """Refuses a folder that is not for this recipe.

    Raises:
        RunError: a file in its place, a run that is not to be resumed, or the run of another recipe.
    """
    marker = out / "recipe.json"
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file: choose another folder")
    if marker.exists() and not resume:
        raise RunError(f"{out} already holds a run: continue it with --resume or choose another folder")
    if marker.exists() and _told_in(marker, "fingerprint") != fingerprint_of(recipe):
        raise RunError(f"{out} holds the run of another recipe: choose another folder")


@contextmanager
def claimed(out: Path, recipe: Recipe, corpus: str, resume: bool) -> Iterator[None]:
    """Takes the folder for this recipe and corpus, and holds it until the block ends or the process dies.

    Args:
        out: the folder.
        recipe: the recipe.
        corpus: digest of the sequence that is trained on; empty where the recipe's fingerprint holds one.
        resume: whether a run that is there goes on.

    Raises:
        RunError: as :func:`check_claim`, which another run may have made untrue meanwhile; another run holds the
            folder; the files of the corpus hold another sequence than when the run began.
    """
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        check_claim(out, recipe, resume)
        marker = out / "recipe.json"
        if marker.exists() and _told_in(marker, "corpus") != corpus:
            raise RunError(f"{out}: the files of the corpus changed since this run began: choose another folder")
        told = {"fingerprint": fingerprint_of(recipe), "corpus": corpus, "recipe": _told(recipe)}
        marker.write_text(json.dumps(told, indent=1, default=str))
        yield


def _told_in(marker: Path, key: str) -> str:
    try:
        return str(json.loads(marker.read_text())[key])
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{marker} is damaged: choose another folder") from None


def _told(recipe: Recipe) -> dict[str, Any]:
    """What decides the weights: everything but the text of the card and who is told of the progress."""
    told = asdict(replace(recipe, card="", trackers=()))
    return {**told, "built_corpus": recipe.corpus.manifest_sha256()} if recipe.corpus.built else told
