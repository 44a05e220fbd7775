"""Robust downloads over HTTP: resumed by ranges, retried, and verified by a digest."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

from genolm.errors import Code, NetworkError, ResourceError

Progress = Callable[[str, int, int], None]
"""Called with the name of a file, the number of bytes received so far, and the size of the file."""

ELSEWHERE = "set HF_ENDPOINT to a mirror of the hub, or give a folder with the model"
"""Remedy for any failed download."""

ATTEMPTS = 5
TIMEOUT_SECONDS = 30.0
_BLOCK = 1 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_BROKEN = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Source:
    """A file on a server.

    Attributes:
        url: address of the file.
        size: size in bytes.
        verify: returns whether a file on disk has the right content.
        token: bearer token for that host, never sent to a host that it redirects to.
    """

    url: str
    size: int
    verify: Callable[[Path], bool]
    token: str | None = None


class _KeepTokenOnHost(urllib.request.HTTPRedirectHandler):
    """Redirect handler that keeps the token only while host and scheme stay the same."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        token = req.unredirected_hdrs.get("Authorization")
        if following is not None and token and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            following.add_unredirected_header("Authorization", token)
        return following


def open_url(url: str, *, token: str | None = None, start: int = 0) -> http.client.HTTPResponse:
    """Send a GET request for ``url``, from byte ``start`` if the server supports ranges.

    Raises:
        urllib.error.HTTPError: the server refused the request.
        urllib.error.URLError: the server could not be reached.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "genolm"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(_KeepTokenOnHost)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_SECONDS)
    return response


def fetch_json(url: str, *, token: str | None = None) -> Any:
    """Return the JSON at ``url``.

    Raises:
        NetworkError: the server refused, is unreachable, or did not return JSON.
    """

    def read() -> Any:
        with open_url(url, token=token) as response:
            return json.loads(response.read())

    try:
        return _retried(read, url)
    except ValueError as error:
        raise NetworkError(f"{url}: the answer is not JSON; is HF_ENDPOINT correct?") from error


def fetch_file(source: Source, target: Path, progress: Progress | None = None) -> None:
    """Download ``source`` to ``target``, continuing from what an earlier call left in ``target.incomplete``.

    If several processes need the same file, one downloads it and the others wait.

    Raises:
        NetworkError: the server refused, is unreachable after several attempts (received data are kept), or the content
            does not match its checksum (it is removed).
        ResourceError: the disk is full.
    """
    partial = target.with_name(target.name + ".incomplete")
    partial.parent.mkdir(parents=True, exist_ok=True)
    with _alone(partial) as stream:
        if target.is_file() and source.verify(target):  # another process was faster
            partial.unlink()
            return
        _check_room(source, partial)
        _retried(lambda: _receive(source, stream, target.name, progress), source.url, stream.tell)
        if not source.verify(partial):
            partial.unlink()
            raise NetworkError(
                f"{source.url}: the content does not match its checksum; it was removed, try again",
                code="checksum-mismatch",
            )
        partial.replace(target)


@contextmanager
def _alone(partial: Path) -> Iterator[IO[bytes]]:
    """Open the unfinished file for appending, locked against other processes."""
    while True:
        with partial.open("ab") as stream:
            _lock(stream)
            # The process that held the lock may have renamed the file, so that another one is open here.
            if _is_at(stream, partial):
                stream.seek(0, os.SEEK_END)
                yield stream
                return


def _is_at(stream: IO[bytes], path: Path) -> bool:
    """Return whether an open file is the one at a path; other processes may remove it at any time."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(stream: IO[bytes]) -> None:
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
    except (ImportError, OSError):  # no locks on this system or file system: the checksum detects errors
        return


def _check_room(source: Source, partial: Path) -> None:
    missing, free = source.size - partial.stat().st_size, shutil.disk_usage(partial.parent).free
    if missing > free:
        raise ResourceError(f"{partial.parent}: {source.url} {missing:,} bytes needed, {free:,} free", code="disk-full")


def _receive(source: Source, stream: IO[bytes], name: str, progress: Progress | None) -> None:
    """Append the missing bytes; if the connection ends early, the next attempt continues from there."""
    if stream.tell() > source.size:
        _empty(stream)
    if stream.tell() < source.size:
        with open_url(source.url, token=source.token, start=stream.tell()) as response:
            _store(response, stream, source.size, name, progress)
    if stream.tell() != source.size:
        raise ConnectionError(f"the connection ended after {stream.tell():,} of {source.size:,} bytes")


def _store(
    response: http.client.HTTPResponse, stream: IO[bytes], size: int, name: str, progress: Progress | None
) -> None:
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        _empty(stream)  # without ranges the server sends the complete file
    while block := response.read(_BLOCK):
        stream.write(block)
        stream.flush()
        if progress:
            progress(name, stream.tell(), size)


def _empty(stream: IO[bytes]) -> None:
    stream.seek(0)
    stream.truncate()


def _retried(action: Callable[[], Any], url: str, position: Callable[[], int] = int) -> Any:
    """Return the result of an action, retried after transient faults; received bytes reset the count of attempts."""
    attempt, reached = 0, position()
    while True:
        attempt += 1
        try:
            return action()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _PASSING or attempt == ATTEMPTS:
                raise refusal(url, error.code) from error
        except _BROKEN as error:
            if attempt == ATTEMPTS:
                raise NetworkError(f"{url}: {_reason(error)}; {_remedy(error)}, {ELSEWHERE}") from error
        if position() > reached:
            attempt, reached = 1, position()
        _pause(attempt)


def _pause(attempt: int) -> None:
    time.sleep(min(2.0**attempt / 2, 10.0))


def _remedy(error: BaseException) -> str:
    if isinstance(getattr(error, "reason", error), ssl.SSLError):
        return "check the proxy's certificates (SSL_CERT_FILE)"
    return "check the network (behind a proxy: HTTPS_PROXY), then try again"


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


class RefusedError(NetworkError):
    """Error for a request that the server refused.

    Args:
        message: error message.
        status: HTTP status code.
    """

    default_code: ClassVar[Code] = "request-refused"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def refusal(url: str, status: int) -> RefusedError:
    """Return the error for an HTTP status, with its meaning for a download of models."""
    meanings = {
        401: f"this model is gated, private or missing: accept its terms on its page and set HF_TOKEN, {ELSEWHERE}",
        403: f"access is not granted: accept the model's terms on its page, check HF_TOKEN, {ELSEWHERE}",
        404: f"not found; check the spelling of ORGANISATION/NAME, {ELSEWHERE}",
        407: f"the proxy asks for a password: put it into HTTPS_PROXY, {ELSEWHERE}",
        429: f"too many requests; try again later, set HF_TOKEN, {ELSEWHERE}",
    }
    failed = f"the server {'failed; try again later' if status >= 500 else 'refused'}, {ELSEWHERE}"
    return RefusedError(f"{url}: {meanings.get(status, failed)} (HTTP {status})", status)
