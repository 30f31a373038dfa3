"""Compares values and keys of the registry, and sets them. Imported on Windows alone."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import winreg
    from collections.abc import Iterator
    from contextlib import contextmanager
    from typing import TypeAlias

    from converge.core.change import IN_SYNC, Change, Changes
    from converge.core.errors import ResourceError
    from converge.core.provider import Provider
    from converge.host.windows.registry_api import VIEW, below_top, open_key
    from converge.resources.registry.value import TYPES, Registry, canonical

    Data: TypeAlias = "int | str | bytes | list[str] | None"

    _THE_LINK = winreg.REG_OPTION_OPEN_LINK
    """Open the key that is a link, not the one that it leads to."""
    _NAMES = {number: name for name, number in TYPES.items()}
    _LONGEST = 200
    """Characters of data that are shown."""

    class WindowsRegistry(Provider[Registry]):
        """Serves :class:`Registry`."""

        @classmethod
        def check(cls, resource: Registry) -> Changes:
            place = canonical(resource.key)
            with _worded(place):
                if resource.value is None:
                    there = _exists(place)
                    if there == (not resource.is_removal()):
                        return IN_SYNC
                    return (
                        Change("key", *(("present", "absent", "remove") if there else (None, "present", "create"))),
                    )
                found = _read(place, resource.value)
            if resource.is_removal():
                return IN_SYNC if found is None else (Change("value", _shown(*found), None, "remove"),)
            type_, data = resource.wanted()
            if found is None:
                return (Change("value", None, _shown(type_, data), "create"),)
            if found == (type_, data):
                return IN_SYNC
            return (Change("value", _shown(*found), _shown(type_, data)),)

        @classmethod
        def apply(cls, resource: Registry, state: Changes) -> None:
            del state  # there is only one thing that can differ
            place = canonical(resource.key)
            with _worded(place):
                if resource.is_removal():
                    _remove(place, resource.value)
                    return
                with winreg.CreateKeyEx(*below_top(place), 0, winreg.KEY_SET_VALUE | VIEW) as key:
                    if resource.value is not None:
                        type_, data = resource.wanted()
                        winreg.SetValueEx(key, resource.value, 0, type_, data)

    def _exists(place: str) -> bool:
        try:
            open_key(place, winreg.KEY_QUERY_VALUE).Close()
        except FileNotFoundError:
            return False
        return True

    def _read(place: str, name: str) -> tuple[int, Data] | None:
        try:
            with open_key(place, winreg.KEY_QUERY_VALUE) as key:
                data, type_ = winreg.QueryValueEx(key, name)
        except FileNotFoundError:
            return None
        if data is None and type_ in (TYPES["binary"], TYPES["multistring"]):  # winreg's way to say that it is empty
            data = b"" if type_ == TYPES["binary"] else []
        return type_, data

    def _remove(place: str, name: str | None) -> None:
        if name is None:
            _remove_key(place)
            return
        with open_key(place, winreg.KEY_SET_VALUE) as key:
            winreg.DeleteValue(key, name)

    def _remove_key(place: str) -> None:
        """With all below it: the registry itself only removes keys that have none below them."""
        if _is_link(place):
            raise ResourceError(f"{place} is a link to another key, whose content would go; remove the link by hand")
        with open_key(place, winreg.KEY_ENUMERATE_SUB_KEYS) as key:
            names = [winreg.EnumKey(key, number) for number in range(winreg.QueryInfoKey(key)[0])]
        for name in names:
            _remove_key(f"{place}\\{name}")
        winreg.DeleteKeyEx(*below_top(place), VIEW, 0)

    def _is_link(place: str) -> bool:
        with open_key(place, winreg.KEY_QUERY_VALUE, _THE_LINK) as key:
            try:
                return winreg.QueryValueEx(key, "SymbolicLinkValue")[1] == winreg.REG_LINK
            except FileNotFoundError:
                return False

    def _shown(type_: int, data: Data) -> str:
        text = data.hex() if isinstance(data, bytes) else repr(data) if isinstance(data, str) else str(data)
        cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        return f"{_NAMES.get(type_, f'type {type_}')} {cut}"

    @contextmanager
    def _worded(place: str) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise ResourceError(f"{place}: access denied; it needs an administrator, or the system itself") from error
        except OSError as error:
            raise ResourceError(f"{place}: {(error.strerror or str(error)).rstrip('.')}") from error
