"""Stable names of classes in manifests."""

import importlib
import pkgutil
from dataclasses import is_dataclass

import pytest

import genolm
from genolm.engine.stored_types import TYPES, stored_class, stored_name


def tasks_of_genolm():
    """Every class below ``genolm`` that the engine can run: a dataclass with a name and rows to assemble."""
    for module in pkgutil.walk_packages(genolm.__path__, "genolm."):
        if module.name.startswith(("genolm.tasks", "genolm.training")):
            for kind in vars(importlib.import_module(module.name)).values():
                is_task = (
                    is_dataclass(kind) and isinstance(getattr(kind, "name", None), str) and hasattr(kind, "assemble")
                )
                if is_task and kind.__module__ == module.name:
                    yield kind


@pytest.mark.parametrize("name", TYPES)
def test_every_name_leads_to_its_class_and_back(name):
    assert stored_name(stored_class(name, TYPES[name].version)) == (name, TYPES[name].version)


def test_every_task_has_a_stable_name():
    tasks = list(tasks_of_genolm())
    assert len(tasks) >= 15
    assert [task for task in tasks if ":" in stored_name(task)[0]] == []
