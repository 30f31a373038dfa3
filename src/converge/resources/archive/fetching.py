"""Where an archive comes from: a file, or a download; and the checksum that says which one it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from typing import IO, TYPE_CHECKING

from converge.core.errors import NotYet, ResourceError
from converge.core.urls import hide_credentials
from converge.host.fs.dirfd import read_safely

if TYPE_CHECKING:
    from urllib.request import Request

_PIECE = 1 << 20
_SILENCE = 30.0
"""Seconds without a byte after which a download is given up."""

_digests: dict[str, tuple[tuple[int, ...], str]] = {}
"""Checksums of files, with what tells that a file is still the same: reading it whole each time would be slow."""


def is_url(source: str) -> bool:
    """Whether it has to be downloaded."""
    return source.startswith("https://")


def digest_of(path: str) -> str:
    """SHA-256 of a file, in hexadecimal digits. Raises NotYet where there is none."""
    try:
        with open(read_safely(path), "rb") as file:
            status = os.fstat(file.fileno())
            same = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = _digests.get(path)
            if known is None or known[0] != same:
                known = _digests[path] = (same, _digest(file))
            return known[1]
    except FileNotFoundError:
        raise NotYet(f"the archive {path} does not exist", f"file:{path}") from None


def fetch(source: str, wanted: str, folder: str, timeout: float | None) -> IO[bytes]:
    """An open file with the archive, whose checksum is the wanted one.

    It is kept in ``folder``, unnamed, where nobody can change it after it was checked: a local file as well.
    """
    file = _download(source, folder, timeout) if is_url(source) else _copied(source, folder)
    try:
        found = _digest(file)
        if found != wanted:
            what = f"{hide_credentials(source)} is not what was declared"
            raise ResourceError(f"{what}: its checksum is sha256:{found}, not sha256:{wanted}")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _copied(path: str, folder: str) -> IO[bytes]:
    copy = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller's
    try:
        with open(read_safely(path), "rb") as file:
            shutil.copyfileobj(file, copy, _PIECE)
        copy.flush()
    except BaseException:
        copy.close()
        raise
    return copy


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do


def _download(url: str, folder: str, timeout: float | None) -> IO[bytes]:
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    deadline = None if timeout is None else time.monotonic() + timeout
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller's
    try:
        # A context of its own: Python 3.12 keeps its default one, and a daemon would never see new authorities.
        trusted = ssl.create_default_context()
        asked = _request(url)
        with urllib.request.urlopen(asked, timeout=_SILENCE, context=trusted) as answer:  # noqa: S310 - only https
            while piece := answer.read(_PIECE):
                file.write(piece)
                if deadline is not None and time.monotonic() > deadline:
                    raise ResourceError(f"{hide_credentials(url)} could not be downloaded within {timeout:g} s")
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        file.close()
        reason = getattr(error, "reason", None) or error
        raise ResourceError(f"{hide_credentials(url)} cannot be downloaded: {reason}") from error
    except BaseException:
        file.close()
        raise
    file.flush()
    return file


def _request(url: str) -> Request:
    """What asks for a URL. A name and password in it become a header, for this server alone: a redirect drops it."""
    import base64
    import urllib.parse
    import urllib.request

    parts = urllib.parse.urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())  # noqa: S310 - only https
    if at:
        name, _, password = (urllib.parse.unquote(part) for part in userinfo.partition(":"))
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    return request
