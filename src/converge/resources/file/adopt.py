"""Declares what is at a path now."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable
from typing import NamedTuple

from converge.core.errors import ResourceError
from converge.core.resource import Adopted
from converge.host.fs import acl
from converge.host.fs.content import READ, read
from converge.host.fs.errors import shown
from converge.host.fs.owners import me
from converge.host.fs.place import type_name
from converge.resources.file.directory import Directory
from converge.resources.file.entry import Entry
from converge.resources.file.file import File
from converge.resources.file.symlink import Symlink

MOST = 64 * 1024
"""Bytes of content that are written into a blueprint."""
_SECRET = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"
    rb"|\$(?:[0-9a-z-]{1,8}|argon2[a-z]*)\$[./A-Za-z0-9$=,+-]{12,}"  # crypt(5)
    rb"|ENC\[AES256:|AGE-SECRET-KEY-"
)
"""What is kept out of blueprints: private keys and password hashes."""
_COMMANDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


def adopt_file(path: str) -> Adopted:
    """A regular file, with its content where that is short text which everybody may read."""
    path = os.path.abspath(path)
    status = _look(path, File(path), stat.S_IFREG)
    found = _content(path, status)
    uid, gid = _owner(status.st_uid), _group(status.st_gid)
    mode, entries = _rights(path, status)
    file = File(path, content=found.text, mode=mode, acl=entries, owner=uid, group=gid)
    return Adopted(file, (found.why_not,) if found.why_not else (), (found.unread,) if found.unread else ())


def adopt_directory(path: str) -> Adopted:
    """A directory, without what is in it."""
    path = os.path.abspath(path)
    status = _look(path, Directory(path), stat.S_IFDIR)
    uid, gid = _owner(status.st_uid), _group(status.st_gid)
    mode, entries = _rights(path, status)
    default = tuple(acl.declared(acl.read(path, acl.DEFAULT) or ()))
    return Adopted(Directory(path, mode=mode, acl=entries, default_acl=default, owner=uid, group=gid))


def adopt_symlink(path: str) -> Adopted:
    """A symbolic link; whose it is matters only where it is not root's."""
    path = os.path.abspath(path)
    status = _look(path, Symlink(path, "-"), stat.S_IFLNK)
    uid = _owner(status.st_uid) if status.st_uid else None
    gid = _group(status.st_gid) if status.st_gid else None
    return Adopted(Symlink(path, os.readlink(path), owner=uid, group=gid))


def _rights(path: str, status: os.stat_result) -> tuple[int, tuple[str, ...]]:
    """Its mode and its access list, which a declared mode alone would remove."""
    entries = acl.read(path, acl.ACCESS) or ()
    return acl.base_mode(stat.S_IMODE(status.st_mode), entries), tuple(acl.declared(entries))


def _look(path: str, entry: Entry, wanted: int) -> os.stat_result:
    for wrong in entry.mistakes():
        raise ResourceError(wrong)
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ResourceError(f"{shown(path)} does not exist") from error
    kind = stat.S_IFMT(status.st_mode)
    if kind != wanted:
        command = _COMMANDS.get(kind)
        advice = f"adopt it as a {command}" if command else "there is no kind for that"
        raise ResourceError(f"{shown(path)} is a {type_name(status.st_mode)}; {advice}")
    return status


class _Found(NamedTuple):
    text: str | None
    why_not: str = ""
    unread: str = ""


def _content(path: str, status: os.stat_result) -> _Found:
    if status.st_size > MOST:
        return _Found(None, _advice(path, f"It has {status.st_size // 1024} KB"))
    if not status.st_mode & stat.S_IROTH:
        return _Found(None, _advice(path, "Not everybody may read it", "; or give it as content=r.secret(...)"))
    try:
        handle = os.open(path, READ)
    except PermissionError:
        return _Found(None, unread=f"{shown(path)} is not readable by {me()}, so its content is left out")
    try:
        data = read(handle, MOST + 1)  # files of the kernel are longer than they say
    finally:
        os.close(handle)
    if len(data) > MOST:
        return _Found(None, _advice(path, "It is long"))
    if _SECRET.search(data):
        return _Found(None, _advice(path, "It seems to hold a private key or a password hash"))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    return _Found(None, _advice(path, "It is no text")) if "\0" in text else _Found(text)


def _advice(path: str, why: str, more: str = "") -> str:
    name = os.path.basename(path).replace('"', "")
    return f'{why}, so its content is left out: copy it beside the blueprint and add source="{shown(name)}"{more}.'


def _owner(uid: int) -> str | int:
    return _name(lambda: pwd.getpwuid(uid).pw_name, uid)


def _group(gid: int) -> str | int:
    return _name(lambda: grp.getgrgid(gid).gr_name, gid)


def _name(ask: Callable[[], str], number: int) -> str | int:
    try:
        return ask()
    except KeyError:
        return number
