"""Origin of a model that may be an adapter: its base and the adapter, told apart."""

from __future__ import annotations

from pathlib import Path

from genolm.errors import ModelError
from genolm.models.checkpoints.adapter_folder import AdapterFolder, is_adapter, read_adapter
from genolm.models.model_files import CONFIG
from genolm.models.zoo.zoo import ModelSource, find_model


def split_adapter(source: ModelSource, adapter: str | Path | None = None) -> tuple[ModelSource, AdapterFolder | None]:
    """Return the base of a model and its adapter; None for a model without one.

    The adapter may lie in a folder of its own, which names its base, in the folder of the base, or be given.

    Args:
        source: the model, or the folder of an adapter.
        adapter: folder of an adapter to apply to the model.

    Raises:
        ModelError: a folder is not an adapter, there are two adapters, or the base is not recorded or does not exist.
    """
    folder = source.folder
    if folder is None or not is_adapter(folder):
        return source, None if adapter is None else read_adapter(Path(adapter))
    if adapter is not None:
        raise ModelError(f"{folder}: already holds an adapter; only one can be applied")
    files = read_adapter(folder)
    return (source if (folder / CONFIG).is_file() else _base(files)), files


def _base(adapter: AdapterFolder) -> ModelSource:
    """Resolve the recorded base: a path relative to the adapter, or anything that :func:`find_model` accepts."""
    name = adapter.options.base
    advice = f"give its base in Python: genolm.load(BASE, adapter={str(adapter.path)!r})"
    if not name:
        raise ModelError(f"{adapter.path}: the adapter does not say which model is its base; {advice}")
    beside = adapter.path / name
    try:
        source = find_model(beside if beside.is_dir() else name)
    except ModelError as error:
        raise ModelError(f"{adapter.path}: its base cannot be used: {error}; {advice}", code=error.code) from error
    if source.folder is not None and is_adapter(source.folder):
        raise ModelError(f"{adapter.path}: its base {source.folder} holds an adapter itself; merge that first")
    return source
