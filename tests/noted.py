"""Expectations on the notes to the user."""

import re
from contextlib import contextmanager

from genolm.notes import held


@contextmanager
def noted(match=""):
    """Expect a note that matches; yield all notes."""
    with held() as notices:
        yield notices
    texts = [str(notice) for notice in notices]
    assert any(re.search(match, text) for text in texts), texts


@contextmanager
def no_notes():
    """Expect that no note is made."""
    with held() as notices:
        yield
    assert notices == []
