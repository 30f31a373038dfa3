"""What is mounted now, compared with what is declared, and changed by mount(8) and umount(8)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converge.core.change import Change
from converge.core.errors import NotYet, Permanent, ResourceError
from converge.host import process
from converge.host.fs.dirfd import Directories
from converge.host.fs.owners import owner_name
from converge.host.fs.trust import trusted
from converge.host.mountinfo import Mounted, Table, read_table
from converge.resources.mount import options

if TYPE_CHECKING:
    from converge.resources.mount import Mount

_ALIASES = {
    "nfs": ("nfs4",),
    "smb3": ("cifs",),
    "ntfs": ("ntfs3", "fuseblk"),
    "ntfs-3g": ("fuseblk",),
}
"""What the kernel calls file systems that are declared under another name."""
_TAGS = ("LABEL", "UUID", "PARTLABEL", "PARTUUID")
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#+-.:=@_/"


def differences(it: Mount, table: Table) -> Iterator[Change]:
    """All that is not as declared."""
    live = table.at(it.path)
    if it.is_removal():
        if live is not None:
            yield Change("mounted", _shown(live.source, live.fstype), None, "remove")
        return
    if live is None:
        yield Change("mounted", None, _shown(it.device(), it.fstype), "create")
        return
    if live.fstype == "autofs" != it.fstype:
        return  # it is mounted as soon as somebody looks into it
    if not _is_type(it, live):
        yield Change("fstype", live.fstype, it.fstype)
    if not _is_from(it, live, table):
        yield Change("source", live.source, it.device())
    if flags := list(options.flag_differences(it.options, live)):
        yield Change("options", ",".join(now for now, _ in flags), ",".join(wanted for _, wanted in flags))
    for name, now, wanted in options.size_differences(it.options, live):
        yield Change(name, now, wanted)


def require_place(it: Mount, changes: tuple[Change, ...]) -> None:
    """Raises NotYet where there is nothing to mount on, or nothing to mount."""
    if os.path.realpath(it.path) != it.path:
        raise Permanent(f"{it.path} is, or leads through, a symbolic link; declare {os.path.realpath(it.path)}")
    if not os.path.lexists(it.path):
        raise NotYet(f'{it.path} does not exist; declare it with r.directory("{it.path}")', f"file:{it.path}", changes)
    source = it.device()
    if source.startswith("/") and not os.path.exists(source):
        raise NotYet(f"{source}, which is to be mounted at {it.path}, does not exist", f"file:{source}", changes)
    if source.startswith("/"):
        _refuse_links_of_users(source)


def _refuse_links_of_users(source: str) -> None:
    """Links that a user made could lead to any directory, which would then be seen where it is mounted."""
    with Directories() as directories:
        folder, _, name = source.rpartition("/")
        handle = directories.open(folder)
        status = os.stat(name or ".", dir_fd=handle, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode) and not trusted(status.st_uid):
            raise ResourceError(
                f"{source} is a symbolic link owned by {owner_name(status.st_uid)}, who could point it elsewhere"
            )


def mount(it: Mount) -> None:
    """Mount it, in the place of what is wrongly there."""
    for _ in range(_stacked()):
        table = read_table()
        live = table.at(it.path)
        if live is None or (_is_type(it, live) and _is_from(it, live, table)):
            break
        unmount_one(it)
    if read_table().at(it.path) is not None:
        return  # what was wrong only hid it
    require_place(it, ())  # anew, since whom a directory on the way belongs to may have put a link there meanwhile
    fstype = [] if it.fstype is None or options.is_bind(it.options) else ["-t", it.fstype]
    _run(it, ["mount", *fstype, "-o", it.options, "--", it.device(), it.path])


def remount(it: Mount) -> None:
    """Change the options of what is mounted."""
    live = read_table().at(it.path)
    if live is not None:
        # With the source given, mount(8) mixes in nothing from fstab.
        wanted = options.remount_options(it.options)
        _run(it, ["mount", "-t", live.fstype, "-o", wanted, "--", live.source, it.path])


def unmount(it: Mount) -> None:
    """Take away all that is mounted there."""
    for _ in range(_stacked()):
        if read_table().at(it.path) is not None:
            unmount_one(it)


def unmount_one(it: Mount) -> None:
    """Take away what was mounted there last."""
    if it.path == "/":
        raise Permanent("the root file system is not replaced while the system runs")
    _run(it, ["umount", "--", it.path])


def _stacked() -> int:
    """A bound for how much is mounted there, one upon another."""
    with open("/proc/self/mountinfo", "rb") as file:
        return sum(1 for _ in file)


def _run(it: Mount, argv: list[str]) -> None:
    result = process.run(argv, timeout=it.seconds())
    if result.timed_out:
        raise ResourceError(f"{argv[0]} {it.path} did not end in time and was ended")
    if result.returncode != 0:
        said = options.masked(" ".join(result.output.split()))
        raise ResourceError(said or f"{argv[0]} {it.path} ended with {result.ending()}")


# --- what it is ------------------------------------------------------------------------------------------


def _shown(source: str, fstype: str | None) -> str:
    return source if fstype in (None, source) else f"{source} ({fstype})"


def _is_type(it: Mount, live: Mounted) -> bool:
    if it.fstype in (None, "auto", "none") or options.is_bind(it.options):
        return True
    return live.fstype == it.fstype or live.fstype in _ALIASES.get(str(it.fstype), ())


def _is_from(it: Mount, live: Mounted, table: Table) -> bool:
    source = it.device()
    if options.is_bind(it.options):
        return _is_bound(source, live, table)
    if source == live.source:
        return True
    tag, _, value = source.partition("=")
    if tag in _TAGS or source.startswith("/dev/"):
        return _is_device(_found(tag, value.strip('"')) if tag in _TAGS else source, live)
    if source.startswith("/"):
        return _backing(live) == os.path.realpath(source)
    if ":" in source or source.startswith("//"):
        return source.rstrip("/") == live.source.rstrip("/")
    return True  # tmpfs and the like have no source, only a word in its place


def _is_bound(source: str, live: Mounted, table: Table) -> bool:
    """Whether the directory, or file, that is seen there is the one that has the path ``source`` now."""
    source = os.path.realpath(source)
    below = table.holding(source)
    if below is None:
        return False
    root = os.path.normpath(os.path.join(below.root, os.path.relpath(source, below.point)))
    return (below.device, root) == (live.device, live.root)


def _is_device(path: str, live: Mounted) -> bool:
    if os.path.realpath(path) == os.path.realpath(live.source):
        return True
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return stat.S_ISBLK(status.st_mode) and number == live.device


def _found(tag: str, value: str) -> str:
    """The device with a label, or the like."""
    encoded = "".join(c if c in _PLAIN else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in value)
    link = f"/dev/disk/by-{tag.lower()}/{encoded}"
    if os.path.exists(link):
        return link
    result = process.run(["findfs", f"{tag}={value}"])
    if result.returncode != 0:
        raise ResourceError(f"no device has the {tag} {value}")
    return result.output.strip()


def _backing(live: Mounted) -> str | None:
    """The file that a loop device shows as a disk."""
    try:
        with open(
            f"/sys/dev/block/{live.device}/loop/backing_file", encoding="utf-8", errors="surrogateescape"
        ) as file:
            return file.read().rstrip("\n")
    except FileNotFoundError:
        return None
