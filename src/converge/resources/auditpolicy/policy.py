"""The kind itself. What talks to Windows is imported when first used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import IN_SYNC, Change, Changes, Verb
from converge.core.errors import ResourceError
from converge.core.resource import Adopted, Resource
from converge.core.trigger import Every, Trigger

if TYPE_CHECKING:
    from typing import Self
    from uuid import UUID

_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class AuditPolicy(Resource):
    """What Windows writes into its security log, of one kind of event."""

    kind: ClassVar[str] = "auditpolicy"
    left_as_is = frozenset({"success", "failure"})
    platforms = ("windows",)
    batch_check: ClassVar[bool] = True
    adoption = "by name"

    name: str
    """What it is called here; the subcategory itself where that is unset."""
    _: KW_ONLY
    subcategory: str | None = None
    """The subcategory, such as ``Logon``, or its GUID. Unset: ``name``."""
    success: bool | None = None
    """Whether events that succeed are logged. Unset: unchanged."""
    failure: bool | None = None
    """Whether events that fail are logged. Unset: unchanged."""

    def called(self) -> str:
        """The subcategory as the owner wrote it."""
        return self.name if self.subcategory is None else self.subcategory

    def guid(self) -> UUID:
        """Of the subcategory. Raises ResourceError where there is none."""
        from converge.resources.auditpolicy.subcategories import guid_of, unknown

        found = guid_of(self.called())
        if found is None:
            raise ResourceError(unknown(self.called()))
        return found

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        try:
            self.guid()
        except ResourceError as error:
            yield str(error)
        if self.success is None and self.failure is None:
            yield "nothing is wanted of it; give success or failure"

    def claims(self) -> Iterable[str]:
        return (f"the audit policy of {self.guid()}",)

    def triggers(self) -> Sequence[Trigger]:
        return (Every(_EVERY),)

    def needs_root(self) -> str | None:
        return "only an administrator may see and change what is audited"

    def group_key(self, verb: Verb) -> str | None:
        return verb

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        from converge.resources.auditpolicy import calls

        (now,) = calls.query(calls.system(), [cls(name).guid()])
        return Adopted(cls(name, success=bool(now & calls.SUCCESS), failure=bool(now & calls.FAILURE)))

    @classmethod
    def check_many(cls, resources: Sequence[Self]) -> Iterator[Changes | Exception]:
        from converge.resources.auditpolicy import calls

        found: Sequence[int | ResourceError]
        try:
            found = calls.query(calls.system(), [each.guid() for each in resources])
        except calls.Denied:
            yield from (_unknown(each) for each in resources)
            return
        except ResourceError as error:
            found = [error] if len(resources) == 1 else [_alone(each) for each in resources]
        for each, now in zip(resources, found, strict=True):
            yield now if isinstance(now, ResourceError) else _differs(each, now)

    @classmethod
    def apply_many(cls, work: Sequence[tuple[Self, Changes]]) -> Iterator[Exception | None]:
        from converge.resources.auditpolicy import calls

        guids = [each.guid() for each, _ in work]
        try:
            system = calls.system()
            found = calls.query(system, guids)
            wanted = [(guid, _wanted(each, now)) for guid, (each, _), now in zip(guids, work, found, strict=True)]
            calls.put(system, wanted)
        except ResourceError as error:
            if len(work) == 1:
                yield error
            else:  # so that one that this Windows does not know fails alone
                for each in work:
                    yield from cls.apply_many([each])
        else:
            yield from [None] * len(work)


def _alone(it: AuditPolicy) -> int | ResourceError:
    """What is logged of one; older versions of Windows lack some, and then answer nothing about the others either."""
    from converge.resources.auditpolicy import calls

    try:
        return calls.query(calls.system(), [it.guid()])[0]
    except ResourceError as error:
        return error


def _wanted(it: AuditPolicy, now: int) -> int:
    for bit, wanted in ((1, it.success), (2, it.failure)):
        if wanted is not None:
            now = now | bit if wanted else now & ~bit
    return now


def _differs(it: AuditPolicy, now: int) -> Changes:
    wanted = _wanted(it, now)
    return IN_SYNC if now == wanted else (Change("audited", _shown(now), _shown(wanted)),)


def _unknown(it: AuditPolicy) -> Changes:
    logged = ((it.success, "success"), (it.failure, "failure"))
    wanted = ", ".join(what if yes else f"no {what}" for yes, what in logged if yes is not None)
    return (Change("audited", "unknown (only an administrator can see it)", wanted, "unknown"),)


def _shown(auditing: int) -> str:
    return ("nothing", "success", "failure", "success and failure")[auditing]
