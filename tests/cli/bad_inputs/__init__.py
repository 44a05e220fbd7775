"""The kinds of bad input that the tests run and ``docs/bad-input.md`` lists, in the order of that page.

Each module of this package that has a tuple ``CASES`` is one area.
"""

from importlib import import_module
from pkgutil import iter_modules

from tests.cli.bad_inputs.case import Case

_FIRST = ("sequences", "variants", "variant_files", "annotation", "models", "options", "generation", "runs")
"""Areas that the page begins with; the others follow in alphabetical order."""

_OTHERS = sorted(info.name for info in iter_modules(__path__) if info.name not in (*_FIRST, "case", "kitchen", "page"))
CASES: tuple[Case, ...] = tuple(
    case for area in (*_FIRST, *_OTHERS) for case in import_module(f"{__name__}.{area}").CASES
)
