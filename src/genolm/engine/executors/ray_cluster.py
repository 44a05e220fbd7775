"""Connection to a Ray cluster: start or join, resources, and detection of its loss."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from genolm.errors import RunError
from genolm.files.optional import require

T = TypeVar("T")

_CONNECTING = 10.0  # seconds that the head may take to accept a connection
_CHECKING = 2.0  # seconds between two checks of the head
_SILENCE = 3  # unanswered checks after which the cluster is lost
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no report to the authors of Ray
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
}


class RayCluster:
    """A cluster to which this process is connected.

    Args:
        ray: the package; it has no complete types.
        address: address of the head, ``HOST:PORT``; None if only Ray's client knows it.
    """

    def __init__(self, ray: Any, address: str | None) -> None:
        self.ray, self._address = ray, address
        self._checked, self._silent = time.monotonic(), 0

    def call(self, function: Callable[..., T], *arguments: object, threads: int, gpus: int) -> T:
        """Call a function on a node with the resources of a worker."""
        self.room(threads, gpus)
        remote = self.ray.remote(num_cpus=threads, num_gpus=gpus)(function)
        result: T = self.ray.get(remote.remote(*arguments))
        return result

    def room(self, threads: int, gpus: int) -> int:
        """Return how many workers the cluster can run at the same time.

        Raises:
            RunError: not a single one.
        """
        room = sum(
            min(int(each.get("CPU", 0) // threads), int(each.get("GPU", 0) // gpus) if gpus else threads * 10**6)
            for each in (node["Resources"] for node in self.ray.nodes() if node["Alive"])
        )
        if not room:
            gpu = " and a GPU" if gpus else ""
            raise RunError(f"no node of the Ray cluster has {threads} CPUs{gpu}, which a worker needs")
        return room

    def check(self, threads: int, gpus: int) -> None:
        """Raise `RunError` if the head does not answer, or no node is left that could run a worker; at intervals."""
        if self._address is None or time.monotonic() < self._checked + _CHECKING:
            return
        self._checked = time.monotonic()
        self._silent = 0 if _answers(self._address, _CHECKING) else self._silent + 1
        if self._silent >= _SILENCE:
            raise RunError(
                f"lost the Ray cluster at {self._address}: its head does not answer; finished parts are kept"
            )
        if not self._silent:
            self.room(threads, gpus)

    def kill(self, actor: Any) -> None:
        """End an actor, if the cluster still exists."""
        if not self._silent:
            with suppress(Exception):  # it may be dead already
                self.ray.kill(actor)


@contextmanager
def connected(address: str | None, cpus: int) -> Iterator[RayCluster]:
    """Connect to a cluster for the duration of the block.

    Args:
        address: ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``; None for the cluster to which the process is already
            connected, or else for a new one on this machine.
        cpus: minimum number of CPUs of a new one.

    Raises:
        GenolmError: Ray is not installed.
        RunError: there is no cluster at the address.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    ray = require("ray", extra="ray", purpose="executor='ray'")
    if ray.is_initialized():
        yield _cluster(ray)
        return
    _init(ray, address, cpus)
    try:
        yield _cluster(ray)
    finally:
        _shutdown(ray)


def _init(ray: Any, address: str | None, cpus: int) -> None:
    new = {} if address else {"num_cpus": max(cpus, os.cpu_count() or 1), "include_dashboard": False}
    _refuse_silent(address or "")
    try:
        with _own_handlers():
            ray.init(address or "local", logging_level=logging.ERROR, log_to_driver=False, **new)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(f"cannot connect to Ray at {address}: {reason}") from error


def _refuse_silent(address: str) -> None:
    """Raise an error if nothing answers at an address, before Ray tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal() and not _answers(f"{host}:{port}", _CONNECTING):
        raise RunError(f"cannot connect to Ray at {address}: nothing answers")


def _answers(address: str, seconds: float) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except OSError:
        return False
    return True


def _cluster(ray: Any) -> RayCluster:
    client = ray.util.client.ray.is_connected()
    return RayCluster(ray, None if client else ray.get_runtime_context().gcs_address)


def _shutdown(ray: Any) -> None:
    with _own_handlers():
        ray.shutdown()


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
