"""The floors: the same system calls with nothing around them. Run as a script, so that each has a process of its own.

    bare.py read LIST              open, fstat, read and close every file that LIST names
    bare.py write LIST THREADS     make their folders, then write, fsync and rename every file
    bare.py watch FOLDER...        write a file anew as soon as anybody else has written it
    bare.py flap FILE              be the one who writes a file every 50 ms

The first two print the seconds that the loop took, without the start of Python.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence


def content_of(path: str) -> bytes:
    """What belongs into a file: a dozen bytes, told from its name."""
    return f"file {os.path.basename(path)}\n".encode()


def read(paths: Sequence[str]) -> None:
    for path in paths:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.fstat(handle)
        os.read(handle, 64)
        os.close(handle)


def write(paths: Sequence[str], threads: int) -> None:
    for folder in dict.fromkeys(map(os.path.dirname, paths)):
        os.mkdir(folder, 0o755)
    workers = [threading.Thread(target=_write_each, args=(paths[start::threads],)) for start in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _write_each(paths: Sequence[str]) -> None:
    for path in paths:
        replace(path)


def replace(path: str) -> None:
    """Atomic and durable."""
    folder, name = os.path.split(path)
    temporary = f"{folder}/.{name}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.write(handle, content_of(path))
    os.fsync(handle)
    os.close(handle)
    os.rename(temporary, path)


def watch(folders: Sequence[str]) -> None:
    from inotify_simple import INotify, flags  # type: ignore[import-untyped]

    notify = INotify()
    watched = {notify.add_watch(folder, flags.CLOSE_WRITE): folder for folder in folders}
    print("WATCHING", flush=True)
    while True:
        for event in notify.read():
            if not event.name.startswith("."):
                replace(f"{watched[event.wd]}/{event.name}")


def flap(path: str) -> None:
    print("WATCHING", flush=True)
    for count in range(20 * 600):  # ends by itself, should nobody end it
        spoil(path, b"flap %d\n" % count)
        time.sleep(0.05)


def spoil(path: str, data: bytes = b"something else\n") -> None:
    """Write in place, as a careless editor does."""
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    os.write(handle, data)
    os.close(handle)


def main(verb: str, *given: str) -> None:
    if verb == "watch":
        watch(given)
    elif verb == "flap":
        flap(given[0])
    else:
        with open(given[0]) as file:
            paths = file.read().splitlines()
        began = time.perf_counter()
        if verb == "read":
            read(paths)
        else:
            write(paths, int(given[1]))
        print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
