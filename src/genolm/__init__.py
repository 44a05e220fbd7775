"""genolm: genome language models in one typed package.

The names below are imported when they are first used, so that ``import genolm`` is quick and needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from genolm.cli.citations import cite as cite
    from genolm.cli.demo import demo as demo
    from genolm.cli.doctor import doctor as doctor
    from genolm.errors import GenolmError as GenolmError
    from genolm.errors import InputError as InputError
    from genolm.errors import ModelError as ModelError
    from genolm.errors import NetworkError as NetworkError
    from genolm.errors import ResourceError as ResourceError
    from genolm.errors import RunError as RunError
    from genolm.genome.fasta import Genome as Genome
    from genolm.genome.interval import Interval as Interval
    from genolm.genome.simulate import simulate as simulate
    from genolm.genome.variant import Variant as Variant
    from genolm.groups import corpus as corpus
    from genolm.groups import detect as detect
    from genolm.groups import explain as explain
    from genolm.groups import tokenizer as tokenizer
    from genolm.models.card import Card as Card
    from genolm.models.conversion import convert as convert
    from genolm.models.conversion import save as save
    from genolm.models.hub import download as download
    from genolm.models.inspection import describe as describe
    from genolm.models.inspection import models_table as models_table
    from genolm.models.loading import load as load
    from genolm.models.model import Model as Model
    from genolm.tasks.cluster import cluster as cluster
    from genolm.tasks.completion.complete import complete as complete
    from genolm.tasks.detect import apply_detector as apply_detector
    from genolm.tasks.detect import train_detector as train_detector
    from genolm.tasks.embed import embed as embed
    from genolm.tasks.explain.attribution import explain_attribution as explain_attribution
    from genolm.tasks.explain.experts import explain_experts as explain_experts
    from genolm.tasks.explain.lens import explain_lens as explain_lens
    from genolm.tasks.explain.memory import explain_memory as explain_memory
    from genolm.tasks.explain.tables import explain_tables as explain_tables
    from genolm.tasks.generate import generate as generate
    from genolm.tasks.generated_check import check_generated as check_generated
    from genolm.tasks.likelihood import score as score
    from genolm.tasks.merge import merge as merge
    from genolm.tasks.mutagenesis import mutate as mutate
    from genolm.tasks.report import report as report
    from genolm.tasks.scan import scan as scan
    from genolm.tasks.variants import variants as variants
    from genolm.tokens.bpe import BpeTokenizer as BpeTokenizer
    from genolm.tokens.nucleotide import NucleotideTokenizer as NucleotideTokenizer
    from genolm.training.corpus.build import build_corpus as build_corpus
    from genolm.training.corpus.inspection import inspect_corpus as inspect_corpus
    from genolm.training.pretrain import pretrain as pretrain
    from genolm.training.vocabulary import inspect_tokenizer as inspect_tokenizer
    from genolm.training.vocabulary import train_tokenizer as train_tokenizer

    check, info = check_generated, describe

_MODULES = {
    "GenolmError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "NetworkError": "errors",
    "ResourceError": "errors",
    "RunError": "errors",
    "Genome": "genome.fasta",
    "Interval": "genome.interval",
    "Variant": "genome.variant",
    "simulate": "genome.simulate",
    "BpeTokenizer": "tokens.bpe",
    "NucleotideTokenizer": "tokens.nucleotide",
    "Card": "models.card",
    "Model": "models.model",
    "load": "models.loading",
    "save": "models.conversion",
    "convert": "models.conversion",
    "download": "models.hub",
    "describe": "models.inspection",
    "models_table": "models.inspection",
    "embed": "tasks.embed",
    "cluster": "tasks.cluster",
    "apply_detector": "tasks.detect",
    "train_detector": "tasks.detect",
    "explain_attribution": "tasks.explain.attribution",
    "explain_experts": "tasks.explain.experts",
    "explain_lens": "tasks.explain.lens",
    "explain_memory": "tasks.explain.memory",
    "explain_tables": "tasks.explain.tables",
    "score": "tasks.likelihood",
    "scan": "tasks.scan",
    "variants": "tasks.variants",
    "mutate": "tasks.mutagenesis",
    "generate": "tasks.generate",
    "complete": "tasks.completion.complete",
    "check_generated": "tasks.generated_check",
    "check": "tasks.generated_check:check_generated",
    "merge": "tasks.merge",
    "info": "models.inspection:describe",
    "detect": "groups",
    "explain": "groups",
    "tokenizer": "groups",
    "corpus": "groups",
    "doctor": "cli.doctor",
    "demo": "cli.demo",
    "cite": "cli.citations",
    "report": "tasks.report",
    "build_corpus": "training.corpus.build",
    "inspect_corpus": "training.corpus.inspection",
    "pretrain": "training.pretrain",
    "inspect_tokenizer": "training.vocabulary",
    "train_tokenizer": "training.vocabulary",
}
"""The module of each public name, followed by a colon and its name there where that differs."""

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _MODULES:
        import sys

        # With name and obj Python itself adds which name was probably meant.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    from importlib import import_module

    module, _, own = _MODULES[name].partition(":")
    value: object = getattr(import_module(f"{__name__}.{module}"), own or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
