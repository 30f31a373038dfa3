"""``registry``: a key of the registry of Windows, or one value in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Final, Literal

from converge.core.resource import Resource
from converge.core.trigger import RegistryChanged, Trigger

HIVES: Final = {
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_USERS": "HKU",
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
}
"""The long names of the top keys, and the short ones by which resources are known."""
TYPES: Final = {"sz": 1, "expandstring": 2, "binary": 3, "dword": 4, "multistring": 7, "qword": 11}
"""The numbers of the types, from winnt.h."""
_OTHER_NAMES: Final = {"string": "sz", "expand_sz": "expandstring", "multi_sz": "multistring"}
_LONGEST_KEY: Final = 255
"""Characters of one part of a key; of the name of a value there may be 16,383."""
_LONGEST_NAME: Final = 16383


@dataclass(frozen=True, slots=True)
class Registry(Resource):
    """A key of the registry of Windows, or one value in it."""

    kind: ClassVar[str] = "registry"
    providers: ClassVar = {"windows": "converge.resources.registry.provider:WindowsRegistry"}
    platforms = ("windows",)

    key: str
    r"""The key, such as ``HKLM\SOFTWARE\Example``; long names (``HKEY_LOCAL_MACHINE``) are the same."""
    value: str | None = None
    """The name of the value in it; empty is the default value. Unset: the key itself."""
    _: KW_ONLY
    data: int | str | bytes | Sequence[str] | None = None
    """What the value is to be."""
    type: str | None = None
    """``sz``, ``expandstring``, ``multistring``, ``dword``, ``qword`` or ``binary``. Unset: by what ``data`` is."""
    state: Literal["present", "absent"] = "present"
    """``absent`` removes the value, or the key with all that is below it."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        """A key itself ends with a backslash, as no value does."""
        return f"{canonical(self.key)}\\{'' if self.value is None else self.value or '(default)'}"

    def mistakes(self) -> Iterator[str]:
        yield from self._mistakes_in_names()
        if self.is_removal() or self.value is None:
            if self.data is not None or self.type is not None:
                yield "data and type have no meaning " + (
                    "with state absent" if self.is_removal() else 'without value; value="" is the default value'
                )
            return
        if self.data is None:
            yield "data is missing"
        elif self.type is not None and self._type() not in TYPES:
            yield f"{self.type!r} is no type; choose one of {', '.join(TYPES)}"
        else:
            yield from self._mistakes_in_data()

    def doubts(self) -> Iterable[str]:
        if self.is_removal() and self.value is None:
            yield 'removes the key and all that is below it; value="" is its default value alone'

    def _mistakes_in_names(self) -> Iterator[str]:
        hive, *parts = canonical(self.key).split("\\")
        if hive not in HIVES.values():
            yield f"the key {self.key!r} begins with none of {', '.join(HIVES.values())}"
        elif not parts:
            yield f"{hive} is the top of the registry; name a key below it"
        elif self.is_removal() and self.value is None and len(parts) < 2:
            yield f"{hive}\\{parts[0]} holds what the system is made of; it cannot be declared absent"
        if any(not part or "\0" in part or len(part) > _LONGEST_KEY for part in parts):
            yield f"the key {self.key!r} has a part that is empty or too long"
        if self.value is not None and ("\0" in self.value or len(self.value) > _LONGEST_NAME):
            yield "value is no name that a value can have"

    def _mistakes_in_data(self) -> Iterator[str]:
        type_, data = self._type(), self.data
        if type_ in ("dword", "qword"):
            bits = 32 if type_ == "dword" else 64
            if not isinstance(data, int):
                yield f"a {type_} takes a whole number"
            elif not 0 <= data < 1 << bits:
                yield f"a {type_} is from 0 to {(1 << bits) - 1}, not {data}"
        elif type_ == "binary":
            if not isinstance(data, bytes):
                yield 'a binary takes bytes, such as bytes.fromhex("01ff")'
        elif type_ == "multistring":
            if isinstance(data, str):
                yield f"a multistring takes a list of texts, such as {data.split(',')!r}"
            elif isinstance(data, bytes | int) or data is None:
                yield "a multistring takes a list of texts"
            elif any(not line or "\0" in line for line in data):
                yield "a multistring can hold no empty texts and no NUL characters"
        elif not isinstance(data, str):
            yield f"a value of type {type_} takes text"
        elif "\0" in data:
            yield "data has a NUL character, where the text would end"

    def _type(self) -> str:
        if self.type is not None:
            name = self.type.lower().removeprefix("reg_")
            return _OTHER_NAMES.get(name, name)
        data = self.data
        if isinstance(data, int):
            return "dword" if data < 1 << 32 else "qword"
        if isinstance(data, str):
            return "sz"
        return "binary" if isinstance(data, bytes) else "multistring"

    def wanted(self) -> tuple[int, int | str | bytes | list[str]]:
        """The number of the type, and the data as winreg has it."""
        data = self.data
        plain = data if isinstance(data, int | str | bytes) else list(data or ())
        return TYPES[self._type()], plain

    def is_removal(self) -> bool:
        return self.state == "absent"

    def claims(self) -> Iterable[str]:
        """Small and capital letters are the same to the registry."""
        return (f"the place {self.identity().lower()} in the registry",)

    def triggers(self) -> Sequence[Trigger]:
        return (RegistryChanged(canonical(self.key)),)

    def needs_root(self) -> str | None:
        hive = canonical(self.key).partition("\\")[0]
        return None if hive == "HKCU" else f"only an administrator can change {hive}"


def canonical(key: str) -> str:
    """The key with the short name of its top key, and without a backslash at its end."""
    hive, _, rest = key.removesuffix("\\").partition("\\")
    short = HIVES.get(hive.upper(), hive.upper())
    return f"{short}\\{rest}" if rest else short
