"""genolm: genome language models in one typed package.

Public names are imported on first use, so that ``import genolm`` is fast and does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genolm.files.version import __version__
from genolm.parameters import PYTHON_NAMES
from genolm.verbs import GROUPS, VERBS

if TYPE_CHECKING:
    from genolm.cli.cite import cite as cite
    from genolm.cli.demo import demo as demo
    from genolm.cli.doctor import doctor as doctor
    from genolm.engine.handle import start as start
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
    from genolm.groups import dataset as dataset
    from genolm.groups import detect as detect
    from genolm.groups import explain as explain
    from genolm.groups import tokenizer as tokenizer
    from genolm.model_api import Model as Model
    from genolm.model_api import load as load
    from genolm.models.card import Card as Card
    from genolm.models.checkpoints.convert import convert as convert
    from genolm.models.checkpoints.convert import save as save
    from genolm.models.checkpoints.download import download as download
    from genolm.models.checkpoints.info import info as info
    from genolm.models.checkpoints.info import models_table as models_table
    from genolm.remedies import Remedy as Remedy
    from genolm.tasks.clustering.cluster import cluster as cluster
    from genolm.tasks.completion.complete import complete as complete
    from genolm.tasks.embed import embed as embed
    from genolm.tasks.generation.check_generated import check as check
    from genolm.tasks.generation.generate import generate as generate
    from genolm.tasks.generation.sequence_pieces import Piece as Piece
    from genolm.tasks.generation.stream import stream as stream
    from genolm.tasks.report.report import report as report
    from genolm.tasks.scanning.scan import scan as scan
    from genolm.tasks.score import score as score
    from genolm.tasks.variants.mutate import mutate as mutate
    from genolm.tasks.variants.variants import variants as variants
    from genolm.tokens.bpe import BpeTokenizer as BpeTokenizer
    from genolm.tokens.nucleotide import NucleotideTokenizer as NucleotideTokenizer
    from genolm.training.finetune import finetune as finetune
    from genolm.training.pretrain import pretrain as pretrain

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
    "BpeTokenizer": "tokens.bpe",
    "NucleotideTokenizer": "tokens.nucleotide",
    "Card": "models.card",
    "Model": "model_api",
    "load": "model_api",
    "save": "models.checkpoints.convert",
    "start": "engine.handle",
    "stream": "tasks.generation.stream",
    "Piece": "tasks.generation.sequence_pieces",
    **dict.fromkeys(GROUPS, "groups"),
    **{PYTHON_NAMES.get(name, name): target for name, target in VERBS.items() if " " not in name},
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
