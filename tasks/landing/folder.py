"""The landing zone kept in a folder.

The folder is shared with senders (SFTP, a network drive), so its content is not trusted: links are never followed,
pipes and devices never opened. Whoever runs Samkat may link to the zone's root, not to anything in it.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from tasks.landing.fingerprint import Fingerprint, copy_with_fingerprint, fingerprint, fingerprint_of
from tasks.landing.handing import hand_in
from tasks.landing.keys import Area, KeyRefusedError, check_key, check_part, elsewhere
from tasks.landing.listing import listed, stored_below
from tasks.landing.zone import (
    KeyTakenError,
    LandedFile,
    NotLandedError,
    RefusedFile,
    StoredFile,
    UnreadableFileError,
    content_changed,
    key_taken,
    neither_here_nor_there,
    not_landed,
)

FOLDERS_OF_THEIR_OWN = (f"{Area.HANDED}/", f"{Area.REJECTS}/")
"""Areas in which each delivery has a folder."""


class FolderZone:
    """See `LandingZone`. `root` need not exist before `prepare` or the first `put`; links above it are resolved."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._prefix = self.root.as_uri().rstrip("/") + "/"

    def prepare(self, senders: Iterable[str] = ()) -> None:
        """See `LandingZone`."""
        for area in Area:
            if area is Area.DATA_DOCS:
                continue
            (self.root / area).mkdir(parents=True, exist_ok=True)
        for sender in senders:
            self._path(f"{Area.INCOMING}/{check_part(sender)}").mkdir(exist_ok=True)

    def waiting(self, sender: str | None = None) -> list[LandedFile]:
        """See `LandingZone`. Raises `ConfigurationError` where `incoming/` is missing: an unmounted drive is no
        empty one."""
        found = [each for each in listed(self.root, sender, self.uri_for) if isinstance(each, LandedFile)]
        return sorted(found, key=lambda each: (each.modified_at, each.name, each.key))

    def refused(self, sender: str | None = None) -> list[RefusedFile]:
        """See `LandingZone`."""
        return sorted(each for each in listed(self.root, sender, self.uri_for) if isinstance(each, RefusedFile))

    def stored(self, area: Area) -> Iterator[StoredFile]:
        """See `LandingZone`."""
        return stored_below(self.root, area, self.uri_for)

    def open(self, uri: str) -> BinaryIO:
        """See `LandingZone`."""
        return _open_inside(self.root, self.key_of(uri))

    def size(self, uri: str) -> int:
        """See `LandingZone`."""
        with self.open(uri) as stream:
            return os.fstat(stream.fileno()).st_size

    def exists(self, uri: str) -> bool:
        """See `LandingZone`."""
        try:
            return stat.S_ISREG(os.lstat(self._path(self.key_of(uri))).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def put(self, key: str, content: bytes | BinaryIO, *, overwrite: bool = False, sha256: str | None = None) -> str:
        """See `LandingZone`."""
        target = self._path(key)
        self._make_folder_of(target, key)
        # Beside its target, so that both are on one file system; hidden, so that nobody takes it for a delivery.
        unfinished = target.parent / f".{uuid.uuid4().hex}.part"
        try:
            written = _write(unfinished, content)
            if sha256 is not None and written.sha256 != sha256:
                raise content_changed(key)
            if os.path.lexists(target) and self._holds(key, written):
                return self.uri_for(key)
            if overwrite:
                self._replace(unfinished, target, key)
            elif not _create(unfinished, target) and not self._holds(key, written):
                raise key_taken(key)
        finally:
            unfinished.unlink(missing_ok=True)
        return self.uri_for(key)

    def move(self, uri: str, key: str, *, sha256: str | None = None) -> str:
        """See `LandingZone`. A copy only where the two areas are on different file systems."""
        source_key, target = self.key_of(uri), self._path(key)
        try:
            stream = self.open(uri)
        except NotLandedError:
            self._prove_moved(uri, key, sha256)
            return self.uri_for(key)
        with stream:
            before = os.fstat(stream.fileno())
            if sha256 is not None and fingerprint(stream).sha256 != sha256:
                raise content_changed(source_key)
            if source_key == key:
                return uri
            source = self._path(source_key)
            try:
                if os.path.lexists(target):
                    stream.seek(0)
                    if not self._holds(key, fingerprint(stream)):
                        raise key_taken(key)
                    self._prove_untouched(source, before, source_key)
                    source.unlink()
                else:
                    self._make_folder_of(target, key)
                    self._bring(stream, before, source, target)
            except FileNotFoundError:
                # Another run has moved it since it was opened.
                self._prove_moved(uri, key, sha256)
        return self.uri_for(key)

    def delete(self, uri: str) -> None:
        """See `LandingZone`. A folder that was made for the file alone goes with it."""
        key = self.key_of(uri)
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except IsADirectoryError:
            raise UnreadableFileError("is a folder, not a file", file=key) from None
        if key.startswith(FOLDERS_OF_THEIR_OWN):
            with suppress(OSError):  # others are in it, or it is gone
                path.parent.rmdir()

    def uri_for(self, key: str) -> str:
        """See `LandingZone`. Always a `file://` URL with percent-encoding."""
        return self._prefix + quote(check_key(key))

    def local_path(self, uri: str) -> Path | None:
        """See `LandingZone`."""
        return self._path(self.key_of(uri))

    def key_of(self, uri: str) -> str:
        """See `LandingZone`."""
        if not uri.startswith(self._prefix):
            raise elsewhere(uri, self._prefix)
        return check_key(unquote(uri.removeprefix(self._prefix), errors="surrogateescape"))

    def adopt(self, path: Path, sender: str) -> str:
        """See `LandingZone`."""
        check_part(sender)
        own_key = self._own_key(path, sender)
        if own_key is not None:
            return self.uri_for(own_key)
        return hand_in(self, path, sender)

    def _own_key(self, path: Path, sender: str) -> str | None:
        """The key of a file that waits in this sender's folder already; None for every other file."""
        where = path.parent.resolve() / path.name
        if where.is_symlink() or not where.is_relative_to(self.root):
            return None
        key = where.relative_to(self.root).as_posix()
        own_folders = (f"{Area.INCOMING}/{sender}/", f"{Area.HANDED}/{sender}/")
        return check_key(key) if key.startswith(own_folders) and where.is_file() else None

    def _path(self, key: str) -> Path:
        """Where `key` is kept. Raises `KeyRefusedError` when a part of the way is a link."""
        path = self.root
        for part in check_key(key).split("/"):
            path = path / part
            if path.is_symlink():
                raise _linked(key)
        return path

    def _make_folder_of(self, target: Path, key: str) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise KeyTakenError("a file stands where a folder is needed", file=key) from error

    def _replace(self, unfinished: Path, target: Path, key: str) -> None:
        try:
            os.replace(unfinished, target)
        except IsADirectoryError as error:
            raise key_taken(key) from error

    def _holds(self, key: str, content: Fingerprint) -> bool:
        try:
            with _open_inside(self.root, key) as stream:
                return fingerprint(stream) == content
        except UnreadableFileError:
            return False

    def _prove_moved(self, uri: str, key: str, sha256: str | None) -> None:
        """Raise unless the file that is gone from `uri` is under `key`."""
        try:
            with _open_inside(self.root, key) as stream:
                if sha256 is None or fingerprint(stream).sha256 == sha256:
                    return
        except NotLandedError:
            pass
        raise neither_here_nor_there(self.key_of(uri), key)

    def _bring(self, stream: BinaryIO, before: os.stat_result, source: Path, target: Path) -> None:
        key = source.relative_to(self.root).as_posix()
        self._prove_untouched(source, before, key)
        try:
            # Not link + unlink: a file that the sender puts in its place between the two would be deleted unread.
            os.rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            stream.seek(0)
            self.put(target.relative_to(self.root).as_posix(), stream)
            self._prove_untouched(source, before, key)
            source.unlink()

    def _prove_untouched(self, source: Path, before: os.stat_result, key: str) -> None:
        """Hashing and copying take time: what the sender has put in the place meanwhile must not be moved away."""
        now = os.lstat(source)
        if not os.path.samestat(before, now) or (before.st_size, before.st_mtime_ns) != (now.st_size, now.st_mtime_ns):
            raise content_changed(key)


def _open_inside(root: Path, key: str) -> BinaryIO:
    """Open step by step, each relative to the last and without following links.

    A sender who can write to the zone could otherwise put a link in place between a check and the opening, and have a
    file of this machine read, rejected and sent back by e-mail.
    """
    *folders, name = key.split("/")
    with _explained(key):
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = below
            # Non-blocking, because opening a pipe waits for a writer; it means nothing for a plain file.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        finally:
            os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFileError("is not a plain file", file=key, remedy="send it as a plain file")
    return os.fdopen(descriptor, "rb")


@contextmanager
def _explained(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise not_landed(key) from error
    except PermissionError as error:
        remedy = "give the user that runs Samkat the right to read it"
        raise UnreadableFileError("may not be read", file=key, remedy=remedy) from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _linked(key) from error
        raise


def _write(path: Path, content: bytes | BinaryIO) -> Fingerprint:
    """Write a new file. A stream is an original: it is on the disk before anything is deleted elsewhere."""
    if isinstance(content, bytes):
        path.write_bytes(content)
        return fingerprint_of(content)
    with path.open("xb") as target:
        copied = copy_with_fingerprint(content, target)
        target.flush()
        os.fsync(target.fileno())
    return copied


def _create(unfinished: Path, target: Path) -> bool:
    """Give the finished file its name unless the name is taken; False where it is."""
    try:
        os.link(unfinished, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        # A file system without hard links: the check and the rename are two steps then. Keys carry a digest or a
        # delivery's id, so that two writers of one key write the same.
        if os.path.lexists(target):
            return False
        os.rename(unfinished, target)
    return True


def _linked(key: str) -> KeyRefusedError:
    return KeyRefusedError(
        "a symbolic link or a file is in the way", file=key, remedy="put the file itself into the sender's folder"
    )
