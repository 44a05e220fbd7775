"""Presentation of dataset build."""

from __future__ import annotations

from genolm.cli.presentation import Invocation, Presented
from genolm.cli.reporter import print_closing


def build(call: Invocation) -> None:
    """Show what the dataset holds and what was left out."""
    from genolm.training.datasets.summarise_dataset import summarise_dataset

    call()
    print_closing(summarise_dataset(call.out()), call.out())


PRESENTED = {"dataset build": Presented(build)}
