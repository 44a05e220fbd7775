"""Stands in for the functions behind the verbs, so that the shells are tested without models."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Call = tuple[tuple[Any, ...], dict[str, Any]]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Call]]:
    """Replace ``module.name`` by a function that records its arguments and gives ``result`` (or raises it)."""

    def replace(module: str, name: str, result: object = None) -> list[Call]:
        calls: list[Call] = []

        def stand_in(*arguments: Any, **settings: Any) -> Any:
            calls.append((arguments, settings))
            if isinstance(result, BaseException):
                raise result
            return result

        stage = ModuleType(module)
        setattr(stage, name, stand_in)
        monkeypatch.setitem(sys.modules, module, stage)
        return calls

    return replace
