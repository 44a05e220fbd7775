"""genolm: genome language models in one typed package.

Public names are imported on first use, so that ``import genolm`` is fast and does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genolm.files.version import __version__

if TYPE_CHECKING:
    from genolm.cli.cite import cite as cite
    from genolm.cli.demo import demo as demo
    from genolm.cli.doctor import doctor as doctor
    from genolm.engine.merge import merge as merge
    from genolm.errors import GenolmError as GenolmError
    from genolm.errors import InputError as InputError
    from genolm.errors import ModelError as ModelError
    from genolm.errors import NetworkError as NetworkError
    from genolm.errors import NonFiniteError as NonFiniteError
    from genolm.errors import ResourceError as ResourceError
    from genolm.errors import RunError as RunError
    from genolm.genome.fasta import Genome as Genome
    from genolm.genome.interval import Interval as Interval
    from genolm.genome.simulation.simulate import simulate as simulate
    from genolm.genome.variant import Variant as Variant
    from genolm.groups import corpus as corpus
    from genolm.groups import detect as detect
    from genolm.groups import explain as explain
    from genolm.groups import tokenizer as tokenizer
    from genolm.models.card import Card as Card
    from genolm.models.checkpoints.convert import convert as convert
    from genolm.models.checkpoints.convert import save as save
    from genolm.models.checkpoints.download import download as download
    from genolm.models.checkpoints.info import describe as describe
    from genolm.models.checkpoints.info import models_table as models_table
    from genolm.models.checkpoints.load import load as load
    from genolm.models.model import Model as Model
    from genolm.remedies import Remedy as Remedy
    from genolm.tasks.clustering.cluster import cluster as cluster
    from genolm.tasks.completion.complete import complete as complete
    from genolm.tasks.detection.apply_detector import apply_detector as apply_detector
    from genolm.tasks.detection.train_detector import train_detector as train_detector
    from genolm.tasks.embed import embed as embed
    from genolm.tasks.explain.explain_attribution import explain_attribution as explain_attribution
    from genolm.tasks.explain.explain_experts import explain_experts as explain_experts
    from genolm.tasks.explain.explain_lens import explain_lens as explain_lens
    from genolm.tasks.explain.explain_memory import explain_memory as explain_memory
    from genolm.tasks.explain.explain_tables import explain_tables as explain_tables
    from genolm.tasks.generation.check_generated import check_generated as check_generated
    from genolm.tasks.generation.generate import generate as generate
    from genolm.tasks.report.report import report as report
    from genolm.tasks.scanning.scan import scan as scan
    from genolm.tasks.score import score as score
    from genolm.tasks.variants.mutate import mutate as mutate
    from genolm.tasks.variants.variants import variants as variants
    from genolm.tokens.bpe import BpeTokenizer as BpeTokenizer
    from genolm.tokens.nucleotide import NucleotideTokenizer as NucleotideTokenizer
    from genolm.training.corpus.build_corpus import build_corpus as build_corpus
    from genolm.training.corpus.inspect_corpus import inspect_corpus as inspect_corpus
    from genolm.training.pretrain import pretrain as pretrain
    from genolm.training.vocabulary.train_tokenizer import inspect_tokenizer as inspect_tokenizer
    from genolm.training.vocabulary.train_tokenizer import train_tokenizer as train_tokenizer

    check, info = check_generated, describe

_MODULES = {
    "GenolmError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "NetworkError": "errors",
    "NonFiniteError": "errors",
    "Remedy": "remedies",
    "ResourceError": "errors",
    "RunError": "errors",
    "Genome": "genome.fasta",
    "Interval": "genome.interval",
    "Variant": "genome.variant",
    "simulate": "genome.simulation.simulate",
    "BpeTokenizer": "tokens.bpe",
    "NucleotideTokenizer": "tokens.nucleotide",
    "Card": "models.card",
    "Model": "models.model",
    "load": "models.checkpoints.load",
    "save": "models.checkpoints.convert",
    "convert": "models.checkpoints.convert",
    "download": "models.checkpoints.download",
    "describe": "models.checkpoints.info",
    "models_table": "models.checkpoints.info",
    "embed": "tasks.embed",
    "cluster": "tasks.clustering.cluster",
    "apply_detector": "tasks.detection.apply_detector",
    "train_detector": "tasks.detection.train_detector",
    "explain_attribution": "tasks.explain.explain_attribution",
    "explain_experts": "tasks.explain.explain_experts",
    "explain_lens": "tasks.explain.explain_lens",
    "explain_memory": "tasks.explain.explain_memory",
    "explain_tables": "tasks.explain.explain_tables",
    "score": "tasks.score",
    "scan": "tasks.scanning.scan",
    "variants": "tasks.variants.variants",
    "mutate": "tasks.variants.mutate",
    "generate": "tasks.generation.generate",
    "complete": "tasks.completion.complete",
    "check_generated": "tasks.generation.check_generated",
    "check": "tasks.generation.check_generated:check_generated",
    "merge": "engine.merge",
    "info": "models.checkpoints.info:describe",
    "detect": "groups",
    "explain": "groups",
    "tokenizer": "groups",
    "corpus": "groups",
    "doctor": "cli.doctor",
    "demo": "cli.demo",
    "cite": "cli.cite",
    "report": "tasks.report.report",
    "build_corpus": "training.corpus.build_corpus",
    "inspect_corpus": "training.corpus.inspect_corpus",
    "pretrain": "training.pretrain",
    "inspect_tokenizer": "training.vocabulary.train_tokenizer",
    "train_tokenizer": "training.vocabulary.train_tokenizer",
}
"""Module of each public name; a name that differs in the module follows after a colon."""

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _MODULES:
        import sys

        # With name and obj, Python adds a suggestion to the message.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    from importlib import import_module

    module, _, original = _MODULES[name].partition(":")
    value: object = getattr(import_module(f"{__name__}.{module}"), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
