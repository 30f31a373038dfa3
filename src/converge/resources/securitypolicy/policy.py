"""The kind itself. What talks to Windows is imported when first used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes, Verb
from converge.core.errors import ResourceError
from converge.core.resource import Adopted, Resource
from converge.core.trigger import Every, Trigger
from converge.resources.securitypolicy.keys import KEYS, Category, canonical, other_name

if TYPE_CHECKING:
    from typing import Self

_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class SecurityPolicy(Resource):
    """A rule of Windows for passwords, or for locking accounts."""

    kind: ClassVar[str] = "securitypolicy"
    platforms = ("windows",)
    batch_check: ClassVar[bool] = True
    adoption = "by name"

    name: str
    """What it is called here; the setting itself where ``key`` is unset."""
    _: KW_ONLY
    category: Category | None = None
    """``password`` or ``lockout``. Unset: where the setting belongs."""
    key: str | None = None
    """The setting, such as ``MinimumPasswordLength``. Unset: ``name``."""
    value: int
    """In days for the ages of passwords, in minutes for the times of locking."""

    def setting(self) -> str:
        """Which setting it is."""
        return canonical(self.name if self.key is None else self.key)

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        known = KEYS.get(self.setting())
        if known is None:
            from converge.core.errors import nearest

            hint = other_name(self.setting()) or nearest(self.setting(), KEYS) or f"; there are {', '.join(KEYS)}"
            yield f"there is no setting {self.setting()!r}{hint}"
            return
        if self.category is not None and self.category != known.category:
            yield f"{self.setting()} belongs to the category {known.category!r}, not to {self.category!r}"
        if not known.least <= self.value <= known.most:
            yield f"{self.setting()} is from {known.least} to {known.most} {known.unit}, not {self.value}"

    def claims(self) -> Iterable[str]:
        return (f"the security policy {self.setting()}",)

    def triggers(self) -> Sequence[Trigger]:
        return (Every(_EVERY),)

    def needs_root(self) -> str | None:
        return "only an administrator can change the rules for accounts"

    def group_key(self, verb: Verb) -> str | None:
        """Those of a category are written together, since Windows refuses values that do not go together."""
        return "securitypolicy" if verb == "check" else KEYS[self.setting()].category

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        from converge.resources.securitypolicy import modals

        name = canonical(name)
        for wrong in cls(name, value=KEYS[name].least if name in KEYS else 0).mistakes():
            raise ResourceError(wrong)
        key = KEYS[name]
        raw = getattr(modals.read(modals.netapi(), key.category), key.field)
        value = key.value(raw)
        if value != int(value):
            raise ResourceError(f"{name} is {key.shown(raw)}, which is no whole number, so it cannot be declared")
        return Adopted(cls(name, value=int(value)))

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        from converge.resources.securitypolicy import modals

        found: dict[Category, object] = {}
        for each in resources:
            key = KEYS[each.setting()]
            try:
                if key.category not in found:
                    found[key.category] = modals.read(modals.netapi(), key.category)
                yield _differs(each, getattr(found[key.category], key.field))
            except modals.Denied:
                unknown = "unknown (only an administrator can see it)"
                yield (Change(each.setting(), unknown, key.shown(key.raw(each.value)), "unknown"),)
            except Exception as error:  # noqa: BLE001 - handed to the engine as this resource's result
                yield error

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, Changes]]) -> Iterator[Exception | None]:
        from converge.resources.securitypolicy import modals

        failed: Exception | None = None
        try:
            category = KEYS[work[0][0].setting()].category
            library = modals.netapi()
            wanted = modals.read(library, category)
            for each, _ in work:
                key = KEYS[each.setting()]
                setattr(wanted, key.field, key.raw(each.value))
            modals.write(library, category, wanted)
        except Exception as error:  # noqa: BLE001 - handed to the engine as the result of each
            failed = error
        yield from [failed] * len(work)


def _differs(it: SecurityPolicy, raw: int) -> Changes:
    key = KEYS[it.setting()]
    if raw == key.raw(it.value):
        return IN_SYNC
    return (Change(it.setting(), key.shown(raw), key.shown(key.raw(it.value))),)
