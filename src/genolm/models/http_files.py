"""Files over HTTP that survive a bad line: ranges to go on where it broke, retries, and a digest to end with."""

from __future__ import annotations

import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from genolm.errors import NetworkError, ResourceError

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that are there, and the bytes that there will be."""

ATTEMPTS = 5
TIMEOUT_SECONDS = 30.0
_BLOCK = 1 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_BROKEN = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Source:
    """A file on a server.

    Attributes:
        url: where it is.
        size: its bytes.
        verify: says of a file on disk whether its content is right.
        token: sent as a bearer token to that host, never to one it redirects to.
    """

    url: str
    size: int
    verify: Callable[[Path], bool]
    token: str | None = None


class _KeepTokenOnHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects; the token goes along only while host and scheme stay the same."""

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
    """A response to GET ``url``, from byte ``start`` on where the server can.

    Raises:
        urllib.error.HTTPError: the server refused.
        urllib.error.URLError: it could not be reached.
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
    """The JSON at ``url``.

    Raises:
        NetworkError: refused, unreachable, or no JSON.
    """

    def read() -> Any:
        with open_url(url, token=token) as response:
            return json.loads(response.read())

    try:
        return _retried(read, url)
    except ValueError as error:
        raise NetworkError(f"{url}: answered something that is no JSON; is HF_ENDPOINT right?") from error


def fetch_file(source: Source, target: Path, progress: Progress | None = None) -> None:
    """Download ``source`` to ``target``, going on after what an earlier call left in ``target.incomplete``.

    Raises:
        NetworkError: refused, unreachable after several attempts (what was received is kept), or the content does not
            match its checksum (it is removed).
        ResourceError: the disk has no room.
    """
    partial = target.with_name(target.name + ".incomplete")
    partial.parent.mkdir(parents=True, exist_ok=True)
    _check_room(source, partial)
    _retried(lambda: _receive(source, partial, target.name, progress), source.url)
    if not source.verify(partial):
        partial.unlink()
        raise NetworkError(f"{source.url}: the content does not match its checksum; the file was removed, try again")
    partial.replace(target)


def _check_room(source: Source, partial: Path) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    free = shutil.disk_usage(partial.parent).free
    if source.size - there > free:
        raise ResourceError(f"{partial.parent}: {source.url} needs {source.size - there:,} bytes, {free:,} are free")


def _receive(source: Source, partial: Path, name: str, progress: Progress | None) -> None:
    """Append what is missing; a connection that ends early is an error, and the next attempt goes on from there."""
    there = partial.stat().st_size if partial.exists() else 0
    if there > source.size:
        partial.unlink()
        there = 0
    if there < source.size or not source.size:
        with open_url(source.url, token=source.token, start=there) as response:
            _store(response, partial, there, source.size, name, progress)
    found = partial.stat().st_size
    if found != source.size:
        raise ConnectionError(f"the connection ended after {found:,} of {source.size:,} bytes")


def _store(
    response: http.client.HTTPResponse, partial: Path, there: int, size: int, name: str, progress: Progress | None
) -> None:
    continued = response.status == http.HTTPStatus.PARTIAL_CONTENT
    done = there if continued else 0  # a server without ranges sends the file from its beginning
    with partial.open("ab" if continued else "wb") as stream:
        while block := response.read(_BLOCK):
            stream.write(block)
            done += len(block)
            if progress:
                progress(name, done, size)


def _retried(action: Callable[[], Any], url: str) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _PASSING or attempt == ATTEMPTS:
                raise refusal(url, error.code) from error
        except _BROKEN as error:
            if attempt == ATTEMPTS:
                raise NetworkError(f"{url}: {_reason(error)}; check the network, then try again") from error
        _pause(attempt)


def _pause(attempt: int) -> None:
    time.sleep(min(2.0**attempt / 2, 10.0))


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


class RefusedError(NetworkError):
    """The server answered, with a refusal.

    Args:
        message: what to tell.
        status: HTTP status code.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def refusal(url: str, status: int) -> RefusedError:
    """The error that tells what an HTTP status means for a reader of models."""
    meanings = {
        401: "this model is gated, private or not there: accept its terms on its page and set HF_TOKEN",
        403: "access is not granted: accept the model's terms on its page, or check HF_TOKEN",
        404: "not found; check the spelling of ORGANISATION/NAME",
    }
    return RefusedError(f"{url}: {meanings.get(status, 'the server refused')} (HTTP {status})", status)
