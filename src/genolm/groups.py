"""Groups of verbs, named as on the command line: ``genolm.detect.train`` and so on."""

from __future__ import annotations

from genolm.tasks.detection.apply_detector import apply_detector
from genolm.tasks.detection.train_detector import train_detector
from genolm.tasks.explain.explain_attribution import explain_attribution
from genolm.tasks.explain.explain_experts import explain_experts
from genolm.tasks.explain.explain_lens import explain_lens
from genolm.tasks.explain.explain_memory import explain_memory
from genolm.tasks.explain.explain_tables import explain_tables
from genolm.training.corpus.build_corpus import build_corpus
from genolm.training.corpus.inspect_corpus import inspect_corpus
from genolm.training.datasets.build_dataset import build_dataset
from genolm.training.vocabulary.train_tokenizer import inspect_tokenizer, train_tokenizer


class detect:
    """Detect generated DNA, as ``genolm detect``."""

    train = staticmethod(train_detector)
    apply = staticmethod(apply_detector)


class explain:
    """Interpret a model, as ``genolm explain``."""

    memory = staticmethod(explain_memory)
    tables = staticmethod(explain_tables)
    lens = staticmethod(explain_lens)
    experts = staticmethod(explain_experts)
    attribution = staticmethod(explain_attribution)


class tokenizer:
    """Train and inspect BPE tokenizers, as ``genolm tokenizer``."""

    train = staticmethod(train_tokenizer)
    inspect = staticmethod(inspect_tokenizer)


class corpus:
    """Build and inspect training corpora, as ``genolm corpus``."""

    build = staticmethod(build_corpus)
    inspect = staticmethod(inspect_corpus)


class dataset:
    """Build datasets with labels from an annotated genome, as ``genolm dataset``."""

    build = staticmethod(build_dataset)
