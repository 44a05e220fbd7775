"""``python -m tests.golden_sets.make FOLDER --seed N`` writes a second set of reference vectors."""

import argparse
from pathlib import Path

from tests.golden_sets.decoders import mistral, mixtral
from tests.golden_sets.encoders import bert, bigbird, modernbert

TOPICS = {
    "mixtral": mixtral,
    "mistral": mistral,
    "gena-bert": bert,
    "modern-gena": modernbert,
    "gena-bigbird": bigbird,
}


def make(folder: Path, seed: int) -> Path:
    """Write every topic that ``transformers`` can make below ``folder``; sizes and values follow from ``seed``."""
    for topic, write in TOPICS.items():
        write(folder / topic, seed)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    make(arguments.folder, arguments.seed)
