"""Optional dependencies, installed by the extras of the package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from genolm.errors import GenolmError
from genolm.remedies import Advice


def require(
    module: str, *, extra: str, purpose: str = "this", package: str | None = None, instead: Advice | None = None
) -> Any:
    """Import and return an optional module, or raise an error that names the extra to install.

    Args:
        module: dotted name of the module, such as ``anndata`` or ``Bio.SeqIO``.
        extra: extra of genolm that installs it.
        purpose: what needs it; the first words of the message.
        instead: what to do without the module.
        package: name of the distribution. Default: the first component of ``module``.

    Raises:
        GenolmError: the module cannot be imported.
    """
    try:
        import_module(module.partition(".")[0])  # the parent may be missing while a submodule is already loaded
        return import_module(module)
    except ImportError:
        name = package or module.partition(".")[0]
        message = f"{purpose} requires {name}, which is not installed"
        remedy = (f"pip install 'genolm[{extra}]'", *([] if instead is None else [instead]))
        raise GenolmError(message, code="missing-package", remedy=remedy) from None
