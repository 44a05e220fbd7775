"""Definitions of verbs: names, parameters, bounds, help and examples, read from the functions that implement them.

A verb is defined by its public function: the typed signature, the ``Args:`` section of the docstring, and the decorator
`verb`. The table ``verbs.json``, from which the command line is built, and the option tables of the documentation are
derived from these definitions by ``python -m genolm.cli.derive``. This module imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module, resources
from typing import Any, ParamSpec, TypeVar

from genolm.notes import collected
from genolm.parameters import Verb

VERBS = {
    "embed": "tasks.embed:embed",
    "score": "tasks.score:score",
    "variants": "tasks.variants.variants:variants",
    "mutate": "tasks.variants.mutate:mutate",
    "generate": "tasks.generation.generate:generate",
    "complete": "tasks.completion.complete:complete",
    "scan": "tasks.scanning.scan:scan",
    "report": "tasks.report.report:report",
    "detect train": "tasks.detection.train_detector:train_detector",
    "detect apply": "tasks.detection.apply_detector:apply_detector",
    "check": "tasks.generation.check_generated:check",
    "cluster": "tasks.clustering.cluster:cluster",
    "explain memory": "tasks.explain.explain_memory:explain_memory",
    "explain lens": "tasks.explain.explain_lens:explain_lens",
    "explain experts": "tasks.explain.explain_experts:explain_experts",
    "explain tables": "tasks.explain.explain_tables:explain_tables",
    "explain attribution": "tasks.explain.explain_attribution:explain_attribution",
    "merge": "engine.merge:merge",
    "models": "models.checkpoints.info:models_table",
    "info": "models.checkpoints.info:info",
    "download": "models.checkpoints.download:download",
    "convert": "models.checkpoints.convert:convert",
    "simulate": "genome.simulation.simulate:simulate",
    "tokenizer train": "training.vocabulary.train_tokenizer:train_tokenizer",
    "tokenizer inspect": "training.vocabulary.train_tokenizer:inspect_tokenizer",
    "corpus build": "training.corpus.build_corpus:build_corpus",
    "corpus inspect": "training.corpus.inspect_corpus:inspect_corpus",
    "dataset build": "training.datasets.build_dataset:build_dataset",
    "pretrain": "training.pretrain:pretrain",
    "finetune": "training.finetune:finetune",
    "doctor": "cli.doctor:doctor",
    "demo": "cli.demo:demo",
    "cite": "cli.cite:cite",
}
"""Module and function of each verb, named as it is typed, in the order of the help."""


GROUPS = {
    "detect": "Detect generated DNA with a trained classifier.",
    "explain": "Interpret a model: k-mer memory, experts, layers, attribution.",
    "tokenizer": "Train or inspect a BPE tokenizer.",
    "corpus": "Build or inspect a training corpus.",
    "dataset": "Build a dataset with labels from an annotated genome.",
}
"""Description of each group of verbs."""


TABLE = "verbs.json"


@cache
def table() -> dict[str, Verb]:
    """Return the definitions of all verbs by name, from the derived table; imports no verb."""
    text = resources.files("genolm").joinpath(TABLE).read_text("utf-8")
    return {values["name"]: Verb.from_json(values) for values in json.loads(text)}


def function_of(name: str) -> Callable[..., Any]:
    """Import and return the function of a verb."""
    module, function = VERBS[name].split(":")
    found: Callable[..., Any] = getattr(import_module(f"genolm.{module}"), function)
    return found


def definition_of(function: Callable[..., Any]) -> Verb:
    """Return the definition of a function decorated with `verb`."""
    found: Verb = function.__verb__  # type: ignore[attr-defined]
    return found


P = ParamSpec("P")


R = TypeVar("R")


def verb(*, example: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Define a verb by its public function: check arguments at each call, and expand the options of all runs.

    Args:
        example: a call on the command line, for the end of its help.

    Returns:
        A decorator. Its function has the same type; the signature and docstring list the keys of
        ``**run: Unpack[RunOptions]``.
    """
    from genolm.verb_signatures import define, expanded_doc, expanded_signature

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        definition, signature = define(_name(function), function, example), expanded_signature(function)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                values = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(f"genolm.{definition.python_name}() {error}") from None
            definition.check(values)
            with collected():  # the notes before the run, such as those on the input, are part of its result
                return function(*args, **kwargs)

        checked.__signature__ = signature  # type: ignore[attr-defined]
        checked.__doc__ = expanded_doc(function)
        checked.__verb__ = definition  # type: ignore[attr-defined]
        return checked

    return decorate


def _name(function: Callable[..., Any]) -> str:
    """Return the name of the verb that a function implements."""
    target = f"{function.__module__.removeprefix('genolm.')}:{function.__qualname__}"
    return next(name for name, listed in VERBS.items() if listed == target)
