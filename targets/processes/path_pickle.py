"""Pickles values together with the files that they name, to send them to another machine.

A file or directory of the cache is an entry `KIND/NAME`, whose name identifies its content; it is
unpacked at the same place of the other machine's cache, unless it is there already. Other paths
that exist are unpacked under the hash of their content. A path that does not exist is sent as text.
"""

import hashlib
import io
import pickle
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

_ENTRY = 2  # parts of a cache entry's path
_SENT = "sent"  # where in the cache other paths are unpacked


def pack(value: Any, cache_dir: Path) -> bytes:
    """Return a value, and the files that it names, as bytes."""
    files: dict[str, bytes] = {}
    body = io.BytesIO()
    _Packer(body, cache_dir.resolve(), files).dump(value)
    return pickle.dumps((files, body.getvalue()))


def unpack(pickled: bytes, cache_dir: Path) -> Any:
    """Return the value, its files in this cache."""
    files, body = pickle.loads(pickled)
    for name, content in files.items():
        _place(cache_dir / name, content)
    return _Unpacker(io.BytesIO(body), cache_dir).load()


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, cache_dir: Path, files: dict[str, bytes]) -> None:
        super().__init__(file, protocol=5)
        self._cache_dir = cache_dir
        self._files = files

    def persistent_id(self, value: Any) -> str | None:
        if not isinstance(value, Path) or not value.exists():
            return None
        path = value.resolve()
        if path == self._cache_dir:
            return "."
        if path.is_relative_to(self._cache_dir):
            inside = path.relative_to(self._cache_dir)
            entry = Path(*inside.parts[:_ENTRY])
            if str(entry) not in self._files:
                self._files[str(entry)] = _tar(self._cache_dir / entry)
            return str(inside)
        content = _tar(path)
        name = f"{_SENT}/{hashlib.sha256(content).hexdigest()[:24]}"
        self._files[name] = content
        return f"{name}/{path.name}"


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, cache_dir: Path) -> None:
        super().__init__(file)
        self._cache_dir = cache_dir

    def persistent_load(self, name: str) -> Path:
        return self._cache_dir / name


def _tar(path: Path) -> bytes:
    """Return a file or directory under its own name; the same bytes for the same content."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mtime = info.uid = info.gid = 0
        info.uname = info.gname = ""
        return info

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(path, path.name, filter=plain)
    return buffer.getvalue()


def _place(entry: Path, content: bytes) -> None:
    """Unpack an entry whole, or leave the one that is there."""
    if entry.exists():
        return
    entry.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(scratch, filter="data")
        made = scratch if entry.parent.name == _SENT else scratch / entry.name
        try:
            made.rename(entry)
        except OSError:
            if not entry.exists():  # another process was faster
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
