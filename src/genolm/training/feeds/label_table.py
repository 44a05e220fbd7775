"""Feed of labelled tables: sequences with a label each, or with a label for every base.

Shapes: R rows, L tokens of the longest row, C labels.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.files.lines import locate_errors
from genolm.genome.labelled.dataset_folder import NOT_COUNTED
from genolm.genome.tabular import present, read_every_column, required, whole
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.model import Model
from genolm.tokens.tokenizer import Ids
from genolm.training.feeds.sequence_rows import SequenceTokens
from genolm.training.feeds.shuffled_items import ShuffledItems
from genolm.training.rows import Places, Rows
from genolm.training.trainer.training_plan import Stage, TrainingPlan

_PLACE = ("chrom", "start", "end", "strand")
_BY_BASE = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True)
class TableRecipe:
    """Tables of labelled sequences: CSV, TSV or parquet; environment variables in paths are expanded.

    Attributes:
        train: training table.
        held_out: tables for evaluation, by name of the split.
        sequence: column of the sequence.
        label: column of the label: one of the head's classes; or, for labels of bases, comma-separated values of all
            bases (an empty value does not count), or one character per base: digits, which are 0-based indexes of the
            classes, or the numbers themselves, and ``.`` for a base that does not count. Heads for several labels or
            numbers read a column for each, called as the label, instead.
    """

    train: str
    held_out: Mapping[str, str] = field(default_factory=dict, hash=False)
    sequence: str = "sequence"
    label: str = "label"


class Example(NamedTuple):
    """A labelled sequence.

    Attributes:
        ids: token ids, with special tokens.
        labels: class (0-based), the C labels, or one value for each base; NaN where a base has none.
        place: contig, start, end and strand; None if the table does not have them.
    """

    ids: Ids
    labels: NDArray[np.float32]
    place: tuple[str, int, int, bool] | None


class LabelFeed:
    """Rows of a labelled table by step; the table is in memory.

    Columns ``chrom``, ``start``, ``end`` (0-based, half-open) and ``strand`` are optional and give the places of rows.

    Args:
        recipe: tables of the run.
        plan: plan with stages and seed; its context is the maximum number of tokens of a row.
        model: model whose tokens are read.
        head: head that is trained.

    Raises:
        InputError: a table cannot be read, is empty or lacks a column; a sequence is invalid or too long; a label is
            missing, not finite or unknown; or the head has a label for each token, but a token has several bases.
    """

    def __init__(self, recipe: TableRecipe, plan: TrainingPlan, model: Model, head: LabelHeadConfig) -> None:
        self._tokens, self._head = SequenceTokens(model), head
        if head.of == "token" and not self._tokens.single:
            raise InputError("labels of bases require a model with one base per token")
        reader = _Reader(recipe, head, self._tokens, min(stage.context for stage in plan.all_stages))
        self._train = reader.examples(recipe.train)
        self._held_out = {name: self._rows(reader.examples(path)) for name, path in recipe.held_out.items()}
        self._order = ShuffledItems(len(self._train), plan)
        paths = [recipe.train, *recipe.held_out.values()]
        self._digest = hashlib.sha256("\n".join(file_sha256(_path(path)) for path in paths).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 of the tables."""
        return self._digest

    def present(self) -> tuple[list[int], int]:
        """Return the number of training sequences or bases with each label, and of all that count.

        For heads of classes, and of labels that occur together.
        """
        if self._head.task == "multilabel":
            values_NC = np.concatenate([np.atleast_2d(example.labels) for example in self._train])
            values_NC = values_NC[np.isfinite(values_NC[:, 0])]
            return values_NC.sum(0, dtype=np.int64).tolist(), len(values_NC)
        classes = np.concatenate([example.labels.reshape(-1) for example in self._train])
        classes = classes[np.isfinite(classes)].astype(np.int64)
        return np.bincount(classes, minlength=len(self._head.labels)).tolist(), len(classes)

    def rows(self, step: int, team: int, teams: int) -> Rows:
        """Return the rows of one team in a step: every ``teams``-th row of the batch, starting at ``team``."""
        return self._rows([self._train[item] for item in self._order.of_step(step, team, teams)])

    def held_out(self, stage: Stage) -> Mapping[str, Rows]:
        """Return all rows of the held-out tables."""
        return self._held_out

    def metrics(self) -> dict[str, Any]:
        """Return the number of sequences by split."""
        held_out = {name: len(rows.ids_RL) for name, rows in self._held_out.items()}
        return {"sequences": {"train": len(self._train), **held_out}}

    def close(self) -> None:
        """Do nothing: the feed holds no threads or files."""

    def _rows(self, examples: Sequence[Example]) -> Rows:
        rows = self._tokens.rows([example.ids for example in examples])._replace(places=_places(examples))
        labels = [example.labels for example in examples]
        if self._head.of == "sequence":
            return rows._replace(targets=np.stack(labels))
        targets = self._tokens.along(rows, labels, fill=math.nan)
        counted_RL = np.isfinite(targets[..., 0])
        return rows._replace(targets=np.where(counted_RL[..., None], targets, 0), counted_RL=counted_RL)


class _Reader:
    """Reads tables of one head."""

    def __init__(self, recipe: TableRecipe, head: LabelHeadConfig, tokens: SequenceTokens, longest: int) -> None:
        self._recipe, self._head, self._tokens, self._longest = recipe, head, tokens, longest
        one = head.of == "token" or head.task == "classes"
        if head.of == "token" and head.task != "classes" and head.outputs > 1:
            raise InputError("a table has one label for each base: several labels of a base are not read")
        self._columns = (recipe.label,) if one else head.labels
        self._classes = {name: number for number, name in enumerate(head.labels)}

    def examples(self, name: str) -> list[Example]:
        path = _path(name)
        table = read_every_column(path)
        for column in (self._recipe.sequence, *self._columns):
            if column not in table.columns:
                raise InputError(
                    f"the table has no such column; it has {', '.join(table.columns)}", file=path, value=column
                )
        placed = table.has(*_PLACE[:3])
        names = (self._recipe.sequence, *self._columns, *(_PLACE if placed else ()))
        examples = []
        for line, values in table.pick(*names):
            with locate_errors(path, line):
                examples.append(self._example(values, placed))
        if not examples:
            raise InputError("the table has no rows", file=path, code="empty-input")
        return examples

    def _example(self, values: Sequence[Any], placed: bool) -> Example:
        sequence, labels = str(values[0] or "").strip(), values[1 : len(self._columns) + 1]
        ids = self._tokens.ids(sequence, self._longest)
        place = _place(*values[-4:]) if placed else None
        if self._head.of == "token":
            return Example(ids, self._of_bases(labels[0], len(sequence)), place)
        numbers = [self._number(value, name) for value, name in zip(labels, self._columns, strict=True)]
        return Example(ids, np.array(numbers[0] if self._head.task == "classes" else numbers, np.float32), place)

    def _of_bases(self, value: Any, bases: int) -> NDArray[np.float32]:
        text = required(value, self._recipe.label)
        if _BY_BASE.fullmatch(text) and bases > 1:
            return self._of_characters(text, bases)
        texts = text.split(",")
        if len(texts) != bases:
            raise InputError(f"{len(texts):,} labels for {bases:,} bases")
        values = [self._number(text, self._recipe.label) if text.strip() else math.nan for text in texts]
        return np.array(values, np.float32)[:, None]

    def _of_characters(self, text: str, bases: int) -> NDArray[np.float32]:
        """Read one character per base: a digit, or a point for a base that does not count."""
        if len(text) != bases:
            raise InputError(f"{len(text):,} labels for {bases:,} bases")
        characters = np.frombuffer(text.encode("ascii"), np.uint8)
        values = np.full(256, math.nan, np.float32)
        for digit in sorted(set(text) - {NOT_COUNTED}):
            values[ord(digit)] = self._of_digit(digit)
        return values[characters][:, None]

    def _of_digit(self, digit: str) -> float:
        if self._head.task != "classes":
            return self._number(digit, self._recipe.label)
        if int(digit) >= len(self._head.labels):
            classes = f"0 to {len(self._head.labels) - 1} ({', '.join(self._head.labels)})"
            raise InputError(f"no class has this index; the classes of the head are {classes}", value=digit)
        return int(digit)

    def _number(self, value: Any, name: str) -> float:
        """Return a label as a number in the scale of the outputs."""
        text = required(value, name)
        if self._head.task == "classes":
            if text not in self._classes:
                raise InputError(f"unknown label; the head has {', '.join(self._head.labels)}", value=text)
            return self._classes[text]
        try:
            number = float(text)
        except ValueError:
            raise InputError(f"{name} must be a number", value=text) from None
        if self._head.task == "multilabel":
            if number not in (0, 1):
                raise InputError(f"{name} must be 0 or 1", value=text)
            return number
        if not math.isfinite(number):
            raise InputError(f"{name} must be finite", value=text)
        index = self._head.labels.index(name) if name in self._head.labels else 0
        mean = self._head.means[index] if self._head.means else 0.0
        return (number - mean) / (self._head.deviations[index] if self._head.deviations else 1.0)


def _place(chrom: Any, start: Any, end: Any, strand: Any) -> tuple[str, int, int, bool]:
    return required(chrom, "chrom"), whole(start, "start"), whole(end, "end"), present(strand) == "-"


def _places(examples: Sequence[Example]) -> Places | None:
    placed = [(row, example.place) for row, example in enumerate(examples) if example.place is not None]
    if not placed:
        return None
    contigs = {place[0]: number for number, place in enumerate({place[0]: place for _, place in placed}.values())}
    return Places.of(tuple(contigs), [(row, 0, contigs[place[0]], *place[1:]) for row, place in placed])


def _path(name: str) -> Path:
    return Path(os.path.expandvars(name))
