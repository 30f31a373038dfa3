"""Loads a blueprint by name or path, evaluates it, and reports all mistakes at once."""

from __future__ import annotations

import linecache
import os
import sys
import threading
import traceback
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import NamedTuple

from converge.blueprints.parameters import Text, Value, values_from
from converge.blueprints.registry import (
    ENTRY_POINTS,
    Blueprint,
    BlueprintFunction,
    line_of,
    load_entry_points,
    registry,
)
from converge.blueprints.run import Run, Shards
from converge.core.errors import (
    NOWHERE,
    BadValue,
    BlueprintNotFound,
    ConvergeError,
    Location,
    Mistake,
    Mistakes,
    NotYet,
    ResourceError,
    nearest,
)
from converge.core.ownership import Ownership
from converge.core.platform import Platform
from converge.core.resource import Resource
from converge.graph.autoedges import GROUNDS
from converge.graph.graph import Graph, as_ids, build_graph
from converge.host.trust import Trust, Untrusted, trusted_imports
from converge.secrets import Secrets
from converge.secrets.redaction import Redactor

_OURS = os.path.dirname(os.path.dirname(__file__))
_MOST_CALLERS = 5


@dataclass(frozen=True, slots=True)
class Given:
    """What a blueprint is run with, beside its own text. The same again when it is loaded again."""

    sets: tuple[tuple[str, str], ...] = ()
    """Parameters as typed: (name, value)."""
    values_file: str | None = None
    """A TOML file of parameters."""
    platform: Platform | None = None
    """Unset: this machine."""
    shards: Shards | None = None
    """Unset: as this machine's serial has it."""
    config: tuple[str, ...] = ()
    """Files of values for ``r.secret``, by their full paths."""
    key: str | None = field(default=None, repr=False)
    """What these are encrypted with. Unset: looked for."""
    redactor: Redactor | None = field(default=None, compare=False, repr=False)
    """Who is to learn each secret. Unset: nobody who outlives the loading."""
    passed: Mapping[str, object] = field(default_factory=dict)
    """Parameters from Python, as r.include takes them."""
    allow_writable: bool = False
    """Use as root also what others can write."""


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A blueprint that has been run."""

    name: str
    graph: Graph
    files: frozenset[str]
    """Its own: a change of one calls for loading it again."""
    wanted: str
    """What to ask for to load it again, whatever folder we are in then."""
    given: Given = NOTHING_GIVEN


class _Asked(NamedTuple):
    """How to run the blueprint's function, once that is found."""

    resource_timeout: float
    given: Given
    values: Mapping[str, Value]
    secrets: Secrets
    trust: Trust


def check(wanted: str, given: Given) -> Loaded:
    """The same as :func:`load`, for any machine: no serial is read, and both answers about shards are tried."""
    shards = Shards(answer=True)
    raised: list[Mistakes] = []
    loaded: Loaded | None = None
    for each in (shards, Shards(answer=False)):
        if each is shards or shards.asked:
            try:
                found = load(wanted, given=replace(given, shards=each))
                loaded = loaded or found
            except Mistakes as error:
                raised.append(error)
    if raised or loaded is None:
        cause = raised[0].__cause__
        raise Mistakes(dict.fromkeys(mistake for error in raised for mistake in error.mistakes)) from cause
    return loaded


def load(
    wanted: str | BlueprintFunction,
    *,
    resource_timeout: float = 300.0,
    given: Given = NOTHING_GIVEN,
    afresh: bool = False,
) -> Loaded:
    """Run the blueprint that ``wanted`` names: a registered name, ``file.py`` or ``file.py:function``; or is.

    ``afresh``: read it again also where it was imported before, from an installed package. A file is always read again.
    Raises BlueprintNotFound, or Mistakes with all that is wrong. Touches nothing on the machine.
    """
    # What a blueprint prints is for the person who wrote it, and must not get between what we print for a program.
    trust = Trust(insist=given.allow_writable)
    secrets = Secrets(given.redactor, config=given.config, key=given.key, pretend=given.shards is not None, trust=trust)
    shown = secrets.redactor.stream(sys.stderr)
    with (
        _without_bytecode(),
        redirect_stdout(shown),
        redirect_stderr(shown),
        _also_about(given.values_file),
        trusted_imports(trust),
    ):
        values = values_from(given.sets, given.values_file, trust)
        values |= {name: Value(value, "", 0) for name, value in given.passed.items()}
        asked = _Asked(resource_timeout, given, values, secrets, trust)
        try:
            if given.config:
                secrets.store()  # what is wrong with these files is said also where the blueprint has no secrets
            loaded = _load(wanted, asked, afresh)
        except ConvergeError as error:
            error.files |= secrets.files()
            raise
        return replace(loaded, files=loaded.files | secrets.files())


def _load(wanted: str | BlueprintFunction, asked: _Asked, afresh: bool) -> Loaded:
    files = frozenset() if asked.given.values_file is None else frozenset((asked.given.values_file,))
    if not isinstance(wanted, str):
        name, file = registry.name_of(wanted), line_of(wanted).file
        return Loaded(name, _run(name, wanted, {file}, asked), files | {file}, name, asked.given)
    if _is_path(wanted):
        loaded = _load_file(wanted, asked)
        return replace(loaded, files=loaded.files | files, given=asked.given)
    if afresh:
        _forget(wanted)
    found = _find_registered(wanted)
    graph = _run(wanted, found.function, {found.file}, asked)
    return Loaded(wanted, graph, files | {found.file}, wanted, asked.given)


def _is_path(wanted: str) -> bool:
    drive, rest = os.path.splitdrive(wanted)
    return bool(drive) or "/" in wanted or os.sep in wanted or rest.partition(":")[0].endswith(".py")


def _forget(name: str) -> None:
    """Let the module of an installed package that declares this blueprint be imported anew."""
    import importlib
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS, name=name):
        sys.modules.pop(point.module, None)
    importlib.invalidate_caches()


def _find_registered(name: str) -> Blueprint:
    for _, error in load_entry_points(name):
        raise BlueprintNotFound(f"the blueprint {name} cannot be imported: {_in_words(error)}") from error
    found = registry.get(name)
    if found is None:
        from importlib.metadata import entry_points

        names = {*registry.names(), *(point.name for point in entry_points(group=ENTRY_POINTS))}
        hint = nearest(name, names)
        raise BlueprintNotFound(
            f"no blueprint is called {name!r}{hint}; 'converge list' shows those there are, and a file is named by its "
            f"path, such as ./{name}.py"
        )
    return found


def _load_file(wanted: str, asked: _Asked) -> Loaded:
    path, function_name = _split(wanted)
    registered = registry.snapshot()
    with _imports_from(os.path.dirname(path), asked.trust) as own_modules:
        try:
            module = _execute(path, asked.trust)
            name, function = _choose(module, path, function_name)
            graph = _run(name, function, {path}, asked)
            again = f"{path}:{function_name}" if function_name else path
            return Loaded(name, graph, frozenset({path, *own_modules()}), again)
        except ConvergeError as error:
            error.files = frozenset({path, *own_modules(), *_blamed(error, os.path.dirname(path))})
            raise
        finally:
            # The file's own registrations go with it: it may be loaded again, changed.
            registry.restore(registered)


def _blamed(error: BaseException | None, folder: str) -> Iterator[str]:
    """The files that an error is about, those among them that are missing yet."""
    while error is not None:
        if isinstance(error, Mistakes):
            yield from (mistake.where.file for mistake in error.mistakes if os.path.isabs(mistake.where.file))
        elif isinstance(error, Untrusted):
            yield error.path
        elif isinstance(error, ModuleNotFoundError) and error.name:
            yield os.path.join(folder, *error.name.split(".")) + ".py"
        error = error.__cause__


def _split(wanted: str) -> tuple[str, str]:
    path, function = wanted, ""
    if not os.path.exists(wanted):
        head, colon, tail = wanted.rpartition(":")
        if colon and head and head + colon != os.path.splitdrive(wanted)[0]:
            path, function = head, tail
    absolute = os.path.abspath(path)
    if os.path.isdir(absolute):
        raise BlueprintNotFound(f"{path} is a folder; name the Python file in it")
    try:
        os.stat(absolute)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BlueprintNotFound(f"there is no file {path}{_near_files(absolute)}") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BlueprintNotFound(f"{path} cannot be read: {why}") from error
    return absolute, function


def _near_files(path: str) -> str:
    try:
        names = {name[:-3]: name for name in os.listdir(os.path.dirname(path)) if name.endswith(".py")}
    except OSError:
        return ""
    # The ending is left out: any two short names with the same one are near.
    return nearest(os.path.basename(path).removesuffix(".py"), names, names.__getitem__)


def _execute(path: str, trust: Trust) -> types.ModuleType:
    trust.require(path)
    linecache.checkcache(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise BlueprintNotFound(f"{path} cannot be read: {error.strerror}") from error
    module = types.ModuleType("converge_blueprint")
    module.__file__ = path
    # Dataclasses and pickling look their module up by name.
    sys.modules[module.__name__] = module
    with _mistakes_from({path}):
        exec(_compiled(source, path), module.__dict__)  # noqa: S102 - it is the owner's program
    return module


def _compiled(source: bytes, path: str) -> types.CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:  # of what is no text at all, Python does not say where it is
        error.filename = error.filename or path
        raise


def _choose(module: types.ModuleType, path: str, function_name: str) -> tuple[str, BlueprintFunction]:
    own = {found.name: found for found in registry.snapshot().values() if found.file == path}
    if function_name:
        if function_name in own:
            return function_name, own[function_name].function
        chosen = getattr(module, function_name, None)
        if callable(chosen):
            return function_name, chosen
        functions = [name for name, value in vars(module).items() if isinstance(value, types.FunctionType)]
        there = {*own, *(name for name in functions if vars(module)[name].__module__ == module.__name__)}
        hint = nearest(function_name, there) or (f"; it has {', '.join(sorted(there))}" if there else "")
        raise BlueprintNotFound(f"{path} has no function or blueprint {function_name!r}{hint}")
    if len(own) == 1:
        ((name, found),) = own.items()
        return name, found.function
    if not own:
        raise BlueprintNotFound(f'{path} declares no blueprint; put @blueprint("name") above its function')
    raise BlueprintNotFound(f"{path} declares several blueprints; choose one: " + ", ".join(f"{path}:{n}" for n in own))


def _run(name: str, function: BlueprintFunction, own: set[str], asked: _Asked) -> Graph:
    """Raises Mistakes with all that is wrong, in the declarations as well as between them."""
    run = Run(
        resource_timeout=asked.resource_timeout,
        platform=asked.given.platform,
        shards=asked.given.shards,
        secrets=asked.secrets,
    )
    values = asked.values
    try:
        with _mistakes_from(own):
            wrong = run._enter(name, function, (), {name: given.value for name, given in values.items()})
        if wrong:
            raise Mistakes(_misgiven(name, parameter, text, values, function) for parameter, text in wrong)
    except Mistakes as raised:
        # What was still to be declared is unknown, so nothing can be said about dependencies.
        raise Mistakes([*run._mistakes, *raised.mistakes]) from raised
    for resource in run._declared.values():
        asked.secrets.redactor.learn_credentials(resource)
    if asked.secrets.redactor:
        from converge.secrets.propagate import keep_secret

        run._mistakes += keep_secret(run._declared.values(), asked.secrets.redactor)
    declared = types.MappingProxyType(run._declared)
    if asked.given.shards is not None and os.name == "posix":  # ``check``, or a test of the blueprint
        run._mistakes += _wrong_beside(declared, run)
    try:
        ownership = Ownership(run._declared.values())
        resources = [
            resource.with_declared_ids(declared).with_ownership(ownership) for resource in run._declared.values()
        ]
        graph = build_graph(resources, run._by_include, run._warnings)
    except Mistakes as raised:
        raise Mistakes([*run._mistakes, *raised.mistakes]) from raised
    if run._mistakes:
        raise Mistakes(run._mistakes)
    return graph


def _wrong_beside(declared: Mapping[str, Resource], run: Run) -> Iterator[Mistake]:
    """What cannot be read or rendered of the files that a blueprint has beside it.

    Elsewhere they may be what another machine has, or a package brings: that they are missing here is a warning.
    """
    for resource in declared.values():
        try:
            resource.check_beside()
        except NotYet as error:
            path = error.needs.partition(":")[2]
            if _is_brought(path, resource, declared):
                continue
            named = (getattr(resource, option) for option in resource.beside_blueprint)
            if any(each is not None and not os.path.isabs(each) for each in named):
                yield Mistake(resource.where, resource.id, str(error))
            else:
                run._warn(resource.where, f"{resource.id}: {error} on this machine")
        except ResourceError as error:
            yield Mistake(resource.where, resource.id, str(error))


def _is_brought(path: str, resource: Resource, declared: Mapping[str, Resource]) -> bool:
    """Whether another resource may make this file before it is needed."""
    if any(needed.startswith("exec:") for needed in as_ids(resource.depends_on)):
        return True
    above = [path, *map(str, PurePath(path).parents)]
    return f"file:{path}" in declared or any(f"{kind}:{each}" in declared for kind in GROUNDS for each in above)


def _misgiven(
    name: str, parameter: str, text: str, values: Mapping[str, Value], function: BlueprintFunction
) -> Mistake:
    """What is wrong with a parameter, at the place where its value comes from, or else where it is asked for."""
    value = values.get(parameter)
    if value is None:
        how = f"; give it with --set {parameter}=…" if parameter else ""
        return Mistake(line_of(function), None, f"{name}: {text}{how}")
    if isinstance(value.value, Text):
        return Mistake(NOWHERE, None, f"--set {parameter}: {name}: {text}")
    return Mistake(Location(value.file, value.line) if value.file else line_of(function), None, f"{name}: {text}")


@contextmanager
def _also_about(file: str | None) -> Iterator[None]:
    """An error may be mended in this file as well."""
    try:
        yield
    except ConvergeError as error:
        error.files |= {file} if file is not None else frozenset()
        raise


@contextmanager
def _mistakes_from(own: set[str]) -> Iterator[None]:
    """Turn what the owner's code raises into a mistake at the owner's own line."""
    try:
        yield
    except (Mistakes, BlueprintNotFound, Untrusted, BadValue):
        raise
    except BaseException as error:  # a daemon does not end because an edit of its blueprint says exit()
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        raise Mistakes([_raised(error, own)]) from error


def _raised(error: BaseException, own: set[str]) -> Mistake:
    """What the owner's code raises, at the innermost line of theirs, and the lines that led there."""
    way = [*dict.fromkeys(_owners_lines(error, own))]
    if isinstance(error, SyntaxError) and error.filename:
        where, text = Location(error.filename, error.lineno or 0), f"is not valid Python: {error.msg}"
    else:
        where, text = way.pop(0) if way else _last_line(error), _in_words(error)
    if way:
        shown = [*map(str, way[:_MOST_CALLERS]), *["…"] * (len(way) > _MOST_CALLERS)]
        text += f" (called from {', from '.join(shown)})"
    return Mistake(where, None, text)


def _in_words(error: BaseException) -> str:
    if isinstance(error, ConvergeError):
        return str(error)
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, AttributeError) and isinstance(error.obj, Run):
        from converge.blueprints.kinds import names

        own = [name for name in dir(error.obj) if not name.startswith("_")]
        text += nearest(error.name or "", [*own, *names()])
    return text


def _owners_lines(error: BaseException, own: set[str]) -> Iterator[Location]:
    """The lines of the owner's code that led to an error, the innermost first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in own or not _is_installed(frame.filename):
            yield Location(frame.filename, frame.lineno or 0)


def _last_line(error: BaseException) -> Location:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Location(last.filename, last.lineno or 0)


def _is_installed(file: str) -> bool:
    """Whether a module is converge's, the standard library's or an installed package's, or no file at all."""
    import sysconfig

    known = sysconfig.get_paths()
    folders = {_OURS, *(known[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))}
    parts = file.split(os.sep)
    return (
        not os.path.isabs(file)
        or any(file.startswith(os.path.join(folder, "")) for folder in folders)
        or not {"site-packages", "dist-packages"}.isdisjoint(parts)
    )


@contextmanager
def _imports_from(folder: str, trust: Trust):  # type: ignore[no-untyped-def]  # a nested callable type would say less than the code
    """Let the blueprint import its neighbours, and forget them afterwards, so that a reload sees their new text."""
    before = set(sys.modules)
    sys.path.insert(0, folder)
    trust.folder = folder

    def own() -> dict[str, str]:
        """The new modules that are files of this folder; neither those of a virtual environment in it, nor converge."""
        new = [name for name in set(sys.modules) - before if name.partition(".")[0] != "converge"]
        files = {name: getattr(sys.modules[name], "__file__", None) or "" for name in new}
        return {
            name: file
            for name, file in files.items()
            if file.startswith(os.path.join(folder, "")) and "site-packages" not in file
        }

    try:
        yield lambda: set(own().values())
    finally:
        sys.path.remove(folder)
        for name in [*own(), "converge_blueprint"]:
            sys.modules.pop(name, None)


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Planning writes nothing, no ``__pycache__`` in the owner's folder either."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
