"""Start-up time of ``genolm --help`` and ``import genolm`` in fresh processes.

python -m benchmarks.startup
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.record import alternate, write

COMMANDS = {
    "genolm --help": [str(Path(sys.executable).with_name("genolm")), "--help"],
    "import genolm": [sys.executable, "-c", "import genolm"],
    "python alone": [sys.executable, "-c", "pass"],
}


def main() -> None:
    """Run the command line."""
    sides = {
        name: (lambda words=words: subprocess.run(words, check=True, capture_output=True))
        for name, words in COMMANDS.items()
    }
    write("startup", {"commands": alternate(sides, 7)})


if __name__ == "__main__":
    main()
