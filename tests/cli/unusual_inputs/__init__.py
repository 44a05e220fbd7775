"""The kinds of unusual input that the tests run and ``docs/unusual-input.md`` lists, in the order of that page.

Each module of this package is one area and has a tuple ``CASES``.
"""

from importlib import import_module
from pkgutil import iter_modules

from tests.cli.unusual_inputs.case import Unusual

_AREAS = sorted(info.name for info in iter_modules(__path__) if info.name not in ("case", "page"))
CASES: tuple[Unusual, ...] = tuple(case for area in _AREAS for case in import_module(f"{__name__}.{area}").CASES)
