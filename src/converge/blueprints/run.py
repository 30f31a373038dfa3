"""``Run``, the ``r`` of a blueprint: declares resources and collects mistakes."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from converge.blueprints.kinds import KINDS, called, own_kind, own_kinds
from converge.blueprints.merge import Declared, Entry, contradiction, contradictions, merged
from converge.blueprints.registry import BlueprintFunction, _from_a_package, registry
from converge.blueprints.typecheck import describe, plainly_fit, wrong_types
from converge.core.condition import Condition
from converge.core.errors import NOWHERE, BadValue, ConvergeError, Location, Mistake, Mistakes, nearest
from converge.core.platform import Os, Platform, this_os, this_platform
from converge.core.resource import Resource
from converge.secrets import Secrets

if TYPE_CHECKING:
    from converge.resources.accounts import AuthorizedKeys, Group, User
    from converge.resources.archive import Archive
    from converge.resources.auditpolicy import AuditPolicy
    from converge.resources.cron import Cron
    from converge.resources.exec import Exec
    from converge.resources.file import Directory, File, Symlink
    from converge.resources.firewall import Firewall, FirewallPolicy
    from converge.resources.git import Git
    from converge.resources.hostname import Hostname
    from converge.resources.mount import Mount
    from converge.resources.package import Package
    from converge.resources.plist import Plist
    from converge.resources.reboot import Reboot
    from converge.resources.registry import Registry as RegistryValue
    from converge.resources.securitypolicy import SecurityPolicy
    from converge.resources.service import Service
    from converge.resources.sysctl import Sysctl
    from converge.resources.timezone import Timezone
    from converge.secrets.secret import Secret

P = ParamSpec("P")
R = TypeVar("R", bound=Resource)

_PLAIN_SHARD = (
    "goes by the first 7 characters of the serial, which virtual machines of one vendor share; give the shard a name, "
    'as in of="new-agent"'
)

_DEEPEST = 100
"""Includes within each other."""


@dataclasses.dataclass(slots=True)
class Shards:
    """Stands in for this machine's serial: every shard is answered alike, and whether any was asked for is noted."""

    answer: bool
    asked: bool = False


class Declares(Generic[P, R]):
    """A method of :class:`Run` that declares one kind, with the very options of that kind's constructor.

    Type checkers see it made of the class, and the program makes it of the method's name.
    """

    def __init__(self, kind: Callable[P, R] | str) -> None:
        self._name = cast("str", kind)

    def __get__(self, run: Run | None, owner: type[Run]) -> Callable[P, R]:
        # A class, seen by the type checker as the constructor that gives the method its signature.
        kind = cast("type[R]", own_kind(self._name))
        if run is None:
            return kind  # for those who read documentation: its options and its text
        return partial(run.declare, kind)


class Run:
    """What a blueprint is called with: declares resources and tells about the machine.

    Mistakes are collected, not raised, so that an owner sees all of them at once.
    """

    if TYPE_CHECKING:  # each with the very options of its kind; at run time a kind is imported when it is first used
        file = Declares(File)
        directory = Declares(Directory)
        symlink = Declares(Symlink)
        exec = Declares(Exec)
        firewall = Declares(Firewall)
        firewall_policy = Declares(FirewallPolicy)
        sysctl = Declares(Sysctl)
        user = Declares(User)
        group = Declares(Group)
        authorized_keys = Declares(AuthorizedKeys)
        hostname = Declares(Hostname)
        timezone = Declares(Timezone)
        package = Declares(Package)
        service = Declares(Service)
        archive = Declares(Archive)
        git = Declares(Git)
        cron = Declares(Cron)
        mount = Declares(Mount)
        reboot = Declares(Reboot)
        plist = Declares(Plist)
        registry = Declares(RegistryValue)
        auditpolicy = Declares(AuditPolicy)
        securitypolicy = Declares(SecurityPolicy)
    else:
        locals().update({name: Declares(name) for name in KINDS})

    def __init__(
        self,
        *,
        platform: Platform | None = None,
        resource_timeout: float = 300.0,
        shards: Shards | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        if platform is not None:
            self.platform = platform
        self._os: Os = platform.os if platform is not None else this_os()
        self._resource_timeout = resource_timeout
        self._shards = shards
        self._secrets = Secrets() if secrets is None else secrets
        self._declared: dict[str, Resource] = {}
        self._by_include: dict[str, Entry] = {}
        """By id, what declares those that only included blueprints declare."""
        self._shared: dict[str, list[Declared]] = {}
        """The declarations of those that several blueprints declare."""
        self._mistakes: list[Mistake] = []
        self._included: list[tuple[int, dict[str, Any]]] = []  # Any: parameters, of whatever types they are
        self._including: list[Entry] = []
        self._owners: dict[str, type] = {}
        self._why: str | None = None
        self._classes: dict[type, type[Resource]] = {}
        self._warnings: dict[str, None] = {}
        self._defaults: dict[type[Resource], dict[str, Any]] = {}  # Any: values of options
        self._config_lacking = False
        """A config could not be read."""

    @cached_property
    def platform(self) -> Platform:
        """os, distro, package_manager, init_system and arch of this machine."""
        return this_platform()

    @overload
    def include(self, blueprint: str, /, **parameters: object) -> None: ...
    @overload
    def include(
        self, blueprint: Callable[Concatenate[Run, P], None], /, *args: P.args, **parameters: P.kwargs
    ) -> None: ...
    def include(self, blueprint: str | BlueprintFunction, /, *args: object, **parameters: object) -> None:
        """Declare what another blueprint declares: a registered name, or its function.

        A second time with the same parameters does nothing.
        """
        where = _caller()
        if isinstance(blueprint, str):
            name, found = blueprint, registry.get(blueprint) or _from_a_package(blueprint)
            function = found.function if found is not None else None
        elif callable(blueprint):
            name, function = registry.name_of(blueprint), blueprint
        else:
            self._mistakes.append(Mistake(where, None, f"include takes a blueprint or its name, not {blueprint!r}"))
            return
        if function is None:
            hint = nearest(name, registry.names())
            self._mistakes.append(Mistake(where, None, f"include: no blueprint is called {name!r}{hint}"))
        else:
            wrong = self._enter(name, function, args, parameters, where)
            self._mistakes += [Mistake(where, None, f"include: {name} {text}") for _, text in wrong]

    def _enter(
        self,
        name: str,
        function: BlueprintFunction,
        args: Sequence[object],
        given: Mapping[str, object],
        where: Location | None = None,
    ) -> list[tuple[str, str]]:
        """Run a blueprint's function, once for each set of parameters; returns what is wrong with these."""
        from converge.blueprints.parameters import bind

        values, wrong = bind(function, args, given)
        if wrong:
            return wrong
        entry = Entry(name, function, values, where, self._including[-1] if self._including else None)
        if self._circle(entry):
            return []
        once = (id(function), values)
        if once not in self._included:
            self._included.append(once)
            self._including.append(entry)
            defaults, self._defaults = self._defaults, {}
            try:
                function(self, **values)
            except BadValue as error:
                wrong = [(error.parameter, f"{error.parameter}: {error}")]
            self._defaults = defaults
            self._including.pop()
        return wrong

    def _circle(self, entry: Entry) -> bool:
        """Whether a blueprint includes itself with the values that it runs with, which would never end.

        With other values it may end. Raises Mistakes where it still has not after very many.
        """
        where = entry.where or NOWHERE
        for place, running in enumerate(self._including):
            if running.function is entry.function and running.values == entry.values:
                chain = [each.name for each in (*self._including[place:], entry)]
                text = f"blueprints include each other in a circle: {' → '.join(chain)}"
                self._mistakes.append(Mistake(where, None, text))
                return True
        if len(self._including) >= _DEEPEST:
            shown = [str(each) for each in (*self._including, entry)]
            chain = [*shown[:3], "…", *shown[-2:]]
            text = f"blueprints include each other without an end, {_DEEPEST} deep so far: {' → '.join(chain)}"
            raise Mistakes([Mistake(where, None, f"{text}; let the innermost include nothing more")])
        return False

    def defaults(self, *kinds: str, **options: object) -> None:
        """Let these options have these values from here on, wherever a declaration of this blueprint leaves them out.

        They hold for the kinds that are named, or for all that have such an option; not in blueprints that are
        included, nor where this one is.
        """
        where = _caller()
        wrong = [f"there is no kind {name!r}{nearest(name, KINDS)}" for name in kinds if name not in KINDS]
        among = [own_kind(name) for name in kinds if name in KINDS] or list(own_kinds().values())
        for option, value in options.items():
            found = [kind for kind in among if option in describe(kind).options]
            if not found and not wrong:
                every = {name for kind in among for name in describe(kind).options}
                wrong.append(f"no kind{' of these' * bool(kinds)} has an option {option}{nearest(option, every)}")
            for kind in found:
                if option in describe(kind).required:
                    wrong.append(f"{option} names each {kind.__name__.lower()}; it can have no default")
                elif describe(kind).options[option].check(value):
                    self._defaults.setdefault(kind, {})[option] = value
                elif kinds or len(found) == 1:
                    wrong += [f"{called(kind)} {text}" for text in wrong_types(kind, (), {option: value})
                              if not text.endswith(" is missing")]  # fmt: skip
        self._mistakes += [Mistake(where, None, f"defaults: {text}") for text in wrong]

    @contextmanager
    def because(self, why: str) -> Iterator[None]:
        """Give a reason to all that is declared meanwhile, and has none of its own."""
        before, self._why = self._why, why
        try:
            yield
        finally:
            self._why = before

    def in_shard(self, percent: int, *, of: str = "", revision: str | int = "") -> bool:
        """Whether this machine is among ``percent`` % of the fleet; the same answer as long as its hardware lives.

        Each shard that has a name (``of``) has an order of machines of its own, and so has each ``revision``.
        """
        return self._in_shard(percent, None, of, revision)

    def in_shard_with_serial(self, percent: int, serial: str, *, of: str = "", revision: str | int = "") -> bool:
        """The same for another serial than this machine's own."""
        return self._in_shard(percent, serial, of, revision)

    def _in_shard(self, percent: int, serial: str | None, of: str, revision: str | int) -> bool:
        from converge.blueprints import sharding
        from converge.host.serial import hardware_serial

        if wrong := sharding.mistake(percent, of, revision):
            self._mistakes.append(Mistake(_caller(2), None, wrong))
            return False
        if serial is None and self._shards is not None and 0 < percent < 100:
            self._shards.asked = True
            if not of:
                self._warn(_caller(2), f"in_shard({percent}) {_PLAIN_SHARD}")
            return self._shards.answer
        if serial is None:
            serial = hardware_serial() if 0 < percent < 100 else ""
            if not of and revision == "" and (prefix := sharding.vendors_prefix(serial)):
                text = f"in_shard({percent}) goes by {prefix!r} alone, which all machines of this vendor have"
                self._warn(_caller(2), f'{text}; give the shard a name, as in in_shard({percent}, of="new-agent")')
        return sharding.in_shard_with_serial(percent, serial, of=of, revision=revision)

    def _warn(self, where: Location, text: str) -> None:
        self._warnings[f"{where}: {text}"] = None

    def config(self, source: str | os.PathLike[str] | Mapping[str, object]) -> None:
        """Register values for :meth:`secret`: a TOML file, relative to the blueprint's own folder, or a dict.

        What is registered later goes before what was registered earlier.
        """
        where = _caller()
        if not isinstance(source, Mapping):
            source = os.path.join(os.path.dirname(where.file), os.fspath(source))
        try:
            self._secrets.store().add(source)
        except ConvergeError as error:
            self._config_lacking = True
            self._mistakes.append(Mistake(where, None, str(error)))

    def secret(self, name: str) -> Secret:
        """A secret value by its dotted name, such as ``db.password``, decrypted; it is hidden wherever it is shown."""
        from converge.secrets.store import stand_in

        try:
            return self._secrets.store().get(name)
        except ConvergeError as error:
            if not self._config_lacking:  # it may well be in what could not be read, and that is said already
                self._mistakes.append(Mistake(_caller(), None, str(error)))
            return stand_in(name)

    def declare(self, kind: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Declare a resource of any kind, such as one that an installed package brings."""
        frame = sys._getframe(1)
        where = Location(frame.f_code.co_filename, frame.f_lineno)
        if not getattr(kind, "__module__", "").startswith("converge.resources."):
            self._look_at_foreign(kind, where)
        return self._declare(where, cast("type[R]", kind), args, kwargs)

    def _look_at_foreign(self, kind: object, where: Location) -> None:
        """Refuse what is no kind, and a kind whose ids would be those of another one."""
        from converge.blueprints.kinds import owner_of_kind, why_no_kind

        if why := why_no_kind(kind):
            raise TypeError(f"what r.declare is given {why}")
        foreign = cast("type[Resource]", kind)
        owner = owner_of_kind(foreign)
        if not self._owners:
            self._owners |= {own.kind: owner_of_kind(own) for own in own_kinds().values()}
        there = self._owners.setdefault(foreign.kind, owner)
        if there is not owner:
            text = (
                f"{owner.__module__}.{owner.__qualname__} and {there.__module__}.{there.__qualname__} are both called "
                f"{foreign.kind!r}; one of them must be renamed"
            )
            self._mistakes.append(Mistake(where, None, text))

    if not TYPE_CHECKING:
        # Hidden from type checkers, which would take every misspelt name for a kind; typed blueprints use r.declare.
        def __getattr__(self, name: str) -> object:
            """The kind that an installed package offers by this name."""
            from converge.blueprints.kinds import kind_named, names

            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            kind = kind_named(name)
            if kind is not None:
                return partial(self.declare, kind)
            own = [each for each in dir(self) if not each.startswith("_")]
            self._mistakes.append(Mistake(_caller(), None, f"there is no r.{name}{nearest(name, [*own, *names()])}"))
            return _UnknownKind(self, name)

    def _declare(self, where: Location, kind: type[R], args: Sequence[object], kwargs: dict[str, Any]) -> R:
        if self._defaults and (defaults := self._defaults.get(kind)):
            given = {*kwargs, *describe(kind).positional[: len(args)]}
            kwargs = {**{name: value for name, value in defaults.items() if name not in given}, **kwargs}
        # Nearly all declarations are right, and there may be many: looked at closely is only what is not plain.
        mistakes = [] if plainly_fit(kind, args, kwargs) else list(wrong_types(kind, args, kwargs))
        if mistakes:
            redactor = self._secrets.redactor
            # Once more: the sentences quote values, the beginning of long ones.
            mistakes = list(wrong_types(kind, redactor.hide_each(args), redactor.hide_all(kwargs)))
        if not mistakes:
            resource = cast("type[R]", self._classes.get(kind) or self._class_of(kind))(*args, **_by_id(kwargs))
            object.__setattr__(resource, "where", where)
            if self._why is not None and resource.why is None:
                object.__setattr__(resource, "why", self._why)
            mistakes = [*resource.common_mistakes(), *resource.mistakes()]
        if "condition" in kwargs or kind.options_only_on or self._os not in kind.platforms:
            mistakes += _misplaced(self._os, kind, kwargs)
        if mistakes:
            resource = _hollow(kind, args, kwargs)
            object.__setattr__(resource, "where", where)
            subject = resource.id if not resource.id.endswith(":") else kind.kind
            self._mistakes += [Mistake(where, subject, text) for text in mistakes]
            self._add(_StandIn(of=resource))
            return resource
        if resource.timeout is None:
            object.__setattr__(resource, "timeout", self._resource_timeout)
        for doubt in resource.doubts():
            self._warn(where, f"{resource.id}: {doubt}")
        return self._add(resource)

    def _class_of(self, kind: type[Resource]) -> type[Resource]:
        """The class that declares a kind on this system; the kind itself where that has none."""
        here = self._os in kind.platforms
        return self._classes.setdefault(kind, kind.for_system(self._os) if here else kind)

    def _add(self, resource: R) -> R:
        if resource.id.endswith(":"):
            return resource
        there = self._declared.setdefault(resource.id, resource)
        if there is not resource:
            return self._add_again(resource, there)
        if len(self._including) > 1:
            self._by_include[resource.id] = self._including[-1]
        return resource

    def _add_again(self, resource: R, there: Resource) -> R:
        """A second declaration of one resource: united with the first where that is another blueprint's."""
        entry = self._including[-1] if len(self._including) > 1 else None
        here = Declared(resource, entry)
        known = self._shared.get(resource.id) or [Declared(there, self._by_include.get(resource.id))]
        if same := next((each for each in known if each.entry is entry), None):
            self._mistakes.append(_twice(resource, same.resource))
            return resource
        if isinstance(resource, _StandIn) or isinstance(there, _StandIn):
            return resource  # the mistake in it is told already
        whole = merged(there, resource, [*known, here], self._resource_timeout)
        if isinstance(whole, list):
            own = next((each for each in known if each.entry is None), None)
            one, other = (own, here) if own else (here, known[0])  # told at the owner's own line where there is one
            wrong = contradictions(other.resource, one.resource, self._resource_timeout) or whole
            self._mistakes.append(contradiction(one, other, wrong))
            return resource
        self._declared[resource.id] = whole
        self._shared[resource.id] = [*known, here]
        if entry is None:
            self._by_include.pop(resource.id, None)
        return cast("R", whole)


class _UnknownKind:
    """What ``r.pakage`` is: a mistake already. Whatever is done with it, the rest of the blueprint is looked at."""

    def __init__(self, run: Run, name: str) -> None:
        self._run = run
        self._name = name

    def __call__(self, *args: object, **options: object) -> Resource:
        del options
        text = str(args[0]) if args else ""
        stand_in = _StandIn(of=_Unknown(f"{self._name}:{text}"))
        self._run._add(stand_in)
        return stand_in

    def __getattr__(self, name: str) -> object:
        raise AttributeError(f"there is no r.{self._name}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Unknown(Resource):
    """What was to be declared of a kind that there is not: no more than its id."""

    kind: ClassVar[str] = ""
    named: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.named)


def _misplaced(system: Os, kind: type[Resource], given: Mapping[str, object]) -> Iterator[str]:
    """Whatever cannot be had on this system: the kind, or options of it."""
    if system not in kind.platforms:
        yield f"there is no {called(kind)} on {system}, only on {' and '.join(kind.platforms)}"
        return
    for option, systems in kind.options_only_on.items():
        if option in given and system not in systems:
            yield f"{option} can only be had on {' and '.join(systems)}; leave it out on {system}"
    if isinstance(condition := given.get("condition"), Condition):
        for single in condition.singles():
            if system not in single.platforms:
                yield f"the condition {single} can only be asked for on {' and '.join(single.platforms)}"


def _by_id(kwargs: dict[str, Any]) -> dict[str, Any]:  # Any: checked against the annotations already
    """Name other resources by their ids, so that a declaration says nothing of how those are declared."""
    for name, value in kwargs.items():
        if isinstance(value, Resource):
            kwargs[name] = (value.id,)
        elif isinstance(value, list | tuple) and any(isinstance(item, Resource) for item in value):
            kwargs[name] = tuple(item.id if isinstance(item, Resource) else item for item in value)
    return kwargs


def _twice(resource: Resource, there: Resource) -> Mistake:
    first, second = _what(there), _what(resource)
    what = f"as a {second} here and as a {first}" if first != second else "here and"
    return Mistake(resource.where, resource.id, f"is declared twice, {what} at {there.where}; keep one")


def _what(resource: Resource) -> str:
    return type(resource.of if isinstance(resource, _StandIn) else resource).__name__.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class _StandIn(Resource):
    """Takes the place of a declaration with mistakes, so that what depends on it can still be looked at."""

    kind: ClassVar[str] = ""
    of: Resource

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.of.id)
        object.__setattr__(self, "where", self.of.where)


def _hollow(kind: type[R], args: Sequence[object], kwargs: Mapping[str, object]) -> R:
    """What a declaration with mistakes returns: it can be named in depends_on, and holds nothing but its name."""
    resource = object.__new__(kind)
    for field in dataclasses.fields(kind):
        default = field.default if field.default is not dataclasses.MISSING else None
        object.__setattr__(resource, field.name, default)
    name_option = next(iter(describe(kind).options))
    name = args[0] if args else kwargs.get(name_option)
    text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    object.__setattr__(resource, name_option, text)
    object.__setattr__(resource, "id", f"{kind.kind}:{text}")
    return resource


def _caller(depth: int = 1) -> Location:
    """The line of the blueprint that called a method of Run."""
    frame = sys._getframe(depth + 1)
    return Location(frame.f_code.co_filename, frame.f_lineno)
