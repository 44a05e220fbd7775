"""Feed of conversations: messages in turn, of which only the answers count in the loss.

Shapes: R rows, L tokens of the longest row.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.files.lines import locate_errors, text_lines
from genolm.genome.sequence import upper_dna
from genolm.models.model import Model
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import SEP
from genolm.training.feeds.shuffled_items import ShuffledItems
from genolm.training.rows import Rows
from genolm.training.trainer.training_plan import Stage, TrainingPlan

ANSWERING = "assistant"
"""Role whose messages count."""


@dataclass(frozen=True, slots=True)
class ChatRecipe:
    """Conversations, one JSON object per line: ``{"messages": [{"role": "user", "content": "ACG"}, …]}``.

    Attributes:
        train: training file; environment variables are expanded.
        held_out: files for evaluation, by name of the split.
    """

    train: str
    held_out: Mapping[str, str] = field(default_factory=dict, hash=False)


class Conversation(NamedTuple):
    """Tokens of a conversation, and which of them count."""

    ids_L: NDArray[np.int32]
    counted_L: NDArray[np.bool_]


class ChatFeed:
    """Rows of one conversation each; the files are in memory.

    A row is the special tokens before a sequence, then every message followed by a separator (``[SEP]``, or the end of
    a document with one base per token). The tokens of answers count, with their separators: so a model learns where
    an answer ends. Messages are DNA, because the tokenizers of genolm read nothing else; ambiguity codes are read as N.

    Args:
        recipe: files of the run.
        plan: plan with stages and seed; its context is the maximum number of tokens of a row.
        model: causal model, by whose tokenizer the messages are read.

    Raises:
        InputError: a file cannot be read or is not of this form, a conversation has no answer or is too long, or a
            message cannot be tokenised.
    """

    def __init__(self, recipe: ChatRecipe, plan: TrainingPlan, model: Model) -> None:
        self._model, self._longest = model, min(stage.context for stage in plan.all_stages)
        one_base = isinstance(model.tokenizer, NucleotideTokenizer)
        self._separator = model.tokenizer.eod_id if one_base else model.tokenizer.special_id(SEP)
        paths = [Path(os.path.expandvars(path)) for path in (recipe.train, *recipe.held_out.values())]
        self._train, *held_out = (self._read(path) for path in paths)
        self._held_out = {name: self._rows(found) for name, found in zip(recipe.held_out, held_out, strict=True)}
        self._order = ShuffledItems(len(self._train), plan)
        self._digest = hashlib.sha256("\n".join(map(file_sha256, paths)).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 of the files."""
        return self._digest

    def rows(self, step: int, team: int, teams: int) -> Rows:
        """Return the rows of one team in a step: every ``teams``-th row of the batch, starting at ``team``."""
        return self._rows([self._train[item] for item in self._order.of_step(step, team, teams)])

    def held_out(self, stage: Stage) -> Mapping[str, Rows]:
        """Return all rows of the held-out files."""
        return self._held_out

    def metrics(self) -> dict[str, Any]:
        """Return the number of conversations by split."""
        held_out = {name: len(rows.ids_RL) for name, rows in self._held_out.items()}
        return {"conversations": {"train": len(self._train), **held_out}}

    def close(self) -> None:
        """Do nothing: the feed holds no threads or files."""

    def _read(self, path: Path) -> list[Conversation]:
        found = []
        for number, line in text_lines(path):
            if line.strip():
                with locate_errors(path, number):
                    found.append(self._conversation(line))
        if not found:
            raise InputError("the file has no conversations", file=path, code="empty-input")
        return found

    def _conversation(self, line: str) -> Conversation:
        ids, counted = list(self._model.begin_ids), [False] * len(self._model.begin_ids)
        for role, content in _messages(line):
            letters = upper_dna(content, iupac="N")
            tokens = [*self._model.tokenizer.encode(letters).tolist(), self._separator]
            ids += tokens
            counted += [role == ANSWERING] * len(tokens)
        if not any(counted[1:]):
            raise InputError(f"the conversation has no message of the role {ANSWERING}")
        if len(ids) > self._longest:
            raise InputError(f"the conversation has {len(ids):,} tokens, but the context is {self._longest:,}")
        return Conversation(np.array(ids, np.int32), np.array(counted))

    def _rows(self, conversations: Sequence[Conversation]) -> Rows:
        lengths_R = np.array([len(one.ids_L) for one in conversations])
        ids_RL = np.full((len(conversations), lengths_R.max()), self._model.tokenizer.pad_id, np.int32)
        counted_RL = np.zeros(ids_RL.shape, bool)
        for row, one in enumerate(conversations):
            ids_RL[row, : len(one.ids_L)], counted_RL[row, : len(one.ids_L)] = one
        return Rows(ids_RL, None, lengths_R=lengths_R, counted_RL=counted_RL)


def _messages(line: str) -> list[tuple[str, str]]:
    """Return role and content of every message of a line."""
    try:
        messages = json.loads(line)["messages"]
        return [(str(message["role"]), _text(message["content"])) for message in messages]
    except (ValueError, KeyError, TypeError):
        raise InputError('expected {"messages": [{"role": "user", "content": "…"}, …]}', value=line.strip()) from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
