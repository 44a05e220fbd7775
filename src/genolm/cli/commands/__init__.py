"""Presentation of each verb on the command line, one module per group of verbs."""

from genolm.cli.commands import (
    about,
    corpus,
    dataset,
    detect,
    explain,
    generation,
    genomes,
    models,
    sequences,
    tokenizer,
    training,
    variants,
)
from genolm.cli.presentation import Presented

_MODULES = (
    about, corpus, dataset, detect, explain, generation, genomes, models, sequences, tokenizer, training, variants,
)  # fmt: skip
PRESENTED: dict[str, Presented] = {name: one for module in _MODULES for name, one in module.PRESENTED.items()}
"""Presentation by the name of the verb."""
