"""The special tokens that a ``tokenizer.json`` puts around a text: its post-processor, read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Frame = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of the special tokens before a text, and of those after it."""


def framed(content: bytes, frame: Frame, ids: Mapping[str, int]) -> bytes:
    """The bytes of a ``tokenizer.json`` that puts ``frame`` around a text; as they are where it does so already.

    Args:
        content: the file.
        frame: what the model expects around a sequence.
        ids: id of every special token.
    """
    values = json.loads(content)
    if frame_of(values) == frame:
        return content
    values["post_processor"] = _template(frame, ids) if any(frame) else None
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def frame_of(values: Mapping[str, Any]) -> Frame | None:
    """What the values of a ``tokenizer.json`` put around one text; None for a rule that is not known."""
    rule = values.get("post_processor")
    if rule is None:
        return (), ()
    if rule["type"] == "BertProcessing":
        return (rule["cls"][0],), (rule["sep"][0],)
    if rule["type"] != "TemplateProcessing":
        return None
    place = next(number for number, step in enumerate(rule["single"]) if "Sequence" in step)
    return _names(rule["single"][:place]), _names(rule["single"][place + 1 :])


def _names(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(step["SpecialToken"]["id"] for step in steps)


def _template(frame: Frame, ids: Mapping[str, int]) -> dict[str, Any]:
    begin, end = frame
    single = [*_special(begin, 0), _text("A", 0), *_special(end, 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, _text("B", 1), *_special(end, 1)],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in (*begin, *end)},
    }


def _special(names: Sequence[str], kind: int) -> list[dict[str, Any]]:
    return [{"SpecialToken": {"id": name, "type_id": kind}} for name in names]


def _text(name: str, kind: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": kind}}
