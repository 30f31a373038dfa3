"""One setting in a JSON file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Inside, Need, Resource, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.host.fs.atomic import Replacement
from converge.host.fs.dirfd import Directories, sync_directory
from converge.host.fs.place import look

_WRITING = threading.Lock()
"""Each writes the whole file, and independent ones are applied side by side: one at a time, so that none is lost."""


@dataclass(frozen=True, slots=True)
class JsonSetting(Resource):
    """One setting in a JSON file."""

    kind: ClassVar[str] = "json"
    platforms = ("linux", "darwin")

    path: str
    """The JSON file. It must exist."""
    key: str
    """The name of the setting."""
    value: str | int | bool
    """What it is to be."""

    # --- what it is ---

    def identity(self) -> str:
        return f"{self.path}:{self.key}"

    def mistakes(self) -> Iterator[str]:
        if not self.path.startswith("/"):
            yield f"the path {self.path!r} is not absolute; begin it with /"

    def needs(self) -> Sequence[Need]:
        return (Uses(f"file:{self.path}"), Inside(self.path))

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(self.path),)

    # --- what it does ---

    def check(self) -> Changes:
        settings = self._read()
        if settings.get(self.key) == self.value:
            return IN_SYNC
        now = json.dumps(settings[self.key]) if self.key in settings else None
        return (Change(self.key, now, json.dumps(self.value), "create" if now is None else "update"),)

    def apply(self, state: Changes) -> None:
        with _WRITING:
            self._write(self._read() | {self.key: self.value})

    def _write(self, settings: dict[str, object]) -> None:
        folder, _, name = self.path.rpartition("/")
        with Directories() as directories:
            handle = directories.open(folder)
            new = Replacement(handle, name)
            try:
                new.write((json.dumps(settings, indent=2) + "\n").encode())
                new.dress(look(handle, name), None, None, None)  # owner, mode and attributes as the old file has them
                new.sync()
                new.publish()
                sync_directory(handle)
            finally:
                new.discard()

    def _read(self) -> dict[str, object]:
        try:
            with open(self.path, encoding="utf-8") as file:
                settings = json.loads(file.read().strip() or "{}")  # a file that was only just made is empty
        except FileNotFoundError:
            raise NotYet(f"{self.path} does not exist", f"file:{self.path}") from None
        except ValueError as error:
            raise ResourceError(f"{self.path} is not valid JSON: {error}") from error
        if not isinstance(settings, dict):
            raise ResourceError(f"{self.path} holds no JSON object")
        return settings
