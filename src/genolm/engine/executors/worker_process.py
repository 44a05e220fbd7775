"""Program of a worker process: ``python -m genolm.engine.executors.worker_process FD DEVICE NAME``.

It receives the setup and then jobs over a socket, and sends replies. It ends when the socket or standard input is
closed, as both are when the parent dies.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from genolm.engine.executors.part_worker import Failure, PartWorker, Ready, Reply

_CLOSED = (EOFError, BrokenPipeError, ConnectionResetError)
"""Errors of a socket that the parent has closed."""


def main() -> None:
    """Compute parts until the parent has no more."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection = Connection(int(sys.argv[1]))
    with suppress(*_CLOSED):
        _serve(connection, sys.argv[2], sys.argv[3])


def _serve(connection: Connection, device: str, name: str) -> None:
    def send(reply: Reply) -> None:
        connection.send_bytes(pickle.dumps(reply))

    try:
        worker = PartWorker(pickle.loads(connection.recv_bytes()), device, name, send)
        send(Ready())
        while True:
            send(worker.compute(pickle.loads(connection.recv_bytes())))
    except _CLOSED:
        raise
    except BaseException as error:
        send(Failure.of(error))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
