"""A run in worker processes, to be stopped: ``SOURCE OUT MARK TROUBLE``."""

import sys
from pathlib import Path

from engine_toys import ToyModel
from executor_toys import Fragile

from genolm.engine.executors.device_workers import DeviceWorkers
from genolm.engine.run import Options, run

if __name__ == "__main__":
    source, out, mark = map(Path, sys.argv[1:4])
    task = Fragile(source, trouble=sys.argv[4], mark=mark)
    try:
        run(task, ToyModel(), out, Options(resume=True, executor=DeviceWorkers(("cpu", "cpu"), 1)))
    except KeyboardInterrupt as stop:
        sys.exit(f"{type(stop).__name__}: {stop}")
