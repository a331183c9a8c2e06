"""The dashboard's files and the headers they are sent with: no outside host, no inline script or style."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

INDEX = "index.html"
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Part:
    """One file as it is sent; `etag` changes with its content."""

    content: bytes
    media_type: str
    etag: str


def find(name: str) -> Part | None:
    """The file of that path below the dashboard's folder; None where there is none. Nothing else is ever read."""
    return _parts().get(name)


def names() -> tuple[str, ...]:
    """The paths that `find` knows."""
    return tuple(sorted(_parts()))


@cache
def _parts() -> Mapping[str, Part]:
    return dict(_walk(files("tiercel.apps.dashboard") / "files", ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Part]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
            continue
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _TYPES:
            content = entry.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            yield f"{prefix}{entry.name}", Part(content, _TYPES[suffix], etag)
