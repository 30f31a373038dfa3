"""From what a user typed to declared resources: finds a blueprint, runs it, and reports every mistake at once."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

from converge.declaration import Blueprint, BlueprintFunction, Run, registry
from converge.errors import BlueprintNotFound, ConvergeError, Mistake, Mistakes, nearest
from converge.graph.graph import Graph, build_graph
from converge.resources.base import Location

ENTRY_POINTS = "converge.blueprints"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A blueprint that has been run."""

    name: str
    graph: Graph
    files: frozenset[str]
    """Its own: a change of one calls for loading it again."""
    wanted: str
    """What to ask for to load it again, whatever folder we are in then."""


def load(wanted: str, *, resource_timeout: float = 300.0, afresh: bool = False) -> Loaded:
    """Run the blueprint that ``wanted`` names: a registered name, ``file.py`` or ``file.py:function``.

    ``afresh``: read it again also where it was imported before, from an installed package. A file is always read again.
    Raises BlueprintNotFound, or Mistakes with all that is wrong. Touches nothing on the machine.
    """
    # What a blueprint prints is for the person who wrote it, and must not get between what we print for a program.
    with _without_bytecode(), redirect_stdout(sys.stderr):
        if _is_path(wanted):
            return _load_file(wanted, resource_timeout)
        if afresh:
            _forget(wanted)
        found = _find_registered(wanted)
        graph = _run(wanted, found.function, {found.file}, resource_timeout)
        return Loaded(wanted, graph, frozenset({found.file}), wanted)


def _is_path(wanted: str) -> bool:
    return "/" in wanted or wanted.partition(":")[0].endswith(".py")


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


def load_entry_points(name: str | None = None) -> list[tuple[str, BaseException]]:
    """Import installed packages' blueprints, or the one called ``name``; returns those that failed to import."""
    from importlib.metadata import entry_points

    failed: list[tuple[str, BaseException]] = []
    for point in entry_points(group=ENTRY_POINTS):
        if name is not None and point.name != name:
            continue
        try:
            point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken package is reported, and takes no other with it
            failed.append((point.name, error))
    return failed


def _load_file(wanted: str, resource_timeout: float) -> Loaded:
    path, function_name = _split(wanted)
    registered = registry.snapshot()
    with _imports_from(os.path.dirname(path)) as own_modules:
        try:
            module = _execute(path)
            name, function = _choose(module, path, function_name)
            graph = _run(name, function, {path}, resource_timeout)
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
        elif isinstance(error, ModuleNotFoundError) and error.name:
            yield os.path.join(folder, *error.name.split(".")) + ".py"
        error = error.__cause__


def _split(wanted: str) -> tuple[str, str]:
    path, function = wanted, ""
    if not os.path.exists(wanted):
        head, colon, tail = wanted.rpartition(":")
        if colon and head:
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
        names = [name for name in os.listdir(os.path.dirname(path)) if name.endswith(".py")]
    except OSError:
        return ""
    return nearest(os.path.basename(path), names)


def _execute(path: str) -> types.ModuleType:
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
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - it is the owner's program
    return module


def _choose(module: types.ModuleType, path: str, function_name: str) -> tuple[str, BlueprintFunction]:
    own = {found.name: found for found in registry.snapshot().values() if found.file == path}
    if function_name:
        if function_name in own:
            return function_name, own[function_name].function
        chosen = getattr(module, function_name, None)
        if callable(chosen):
            return function_name, chosen
        functions = [name for name, value in vars(module).items() if isinstance(value, types.FunctionType)]
        raise BlueprintNotFound(
            f"{path} has no function or blueprint {function_name!r}{nearest(function_name, {*own, *functions})}"
        )
    if len(own) == 1:
        ((name, found),) = own.items()
        return name, found.function
    if not own:
        raise BlueprintNotFound(f'{path} declares no blueprint; put @blueprint("name") above its function')
    raise BlueprintNotFound(f"{path} declares several blueprints; choose one: " + ", ".join(f"{path}:{n}" for n in own))


def _run(name: str, function: BlueprintFunction, own: set[str], resource_timeout: float) -> Graph:
    """Raises Mistakes with all that is wrong, in the declarations as well as between them."""
    run = Run(resource_timeout=resource_timeout)
    run._including.append(name)
    run._included.add(id(function))
    try:
        with _mistakes_from(own):
            function(run)
    except Mistakes as raised:
        # What was still to be declared is unknown, so nothing can be said about dependencies.
        raise Mistakes([*run._mistakes, *raised.mistakes]) from raised
    ids = run._declared.keys()
    try:
        graph = build_graph([resource.among(ids) for resource in run._declared.values()])
    except Mistakes as raised:
        raise Mistakes([*run._mistakes, *raised.mistakes]) from raised
    if run._mistakes:
        raise Mistakes(run._mistakes)
    return graph


@contextmanager
def _mistakes_from(own: set[str]) -> Iterator[None]:
    """Turn what the owner's code raises into a mistake at the owner's own line."""
    try:
        yield
    except SyntaxError as error:
        where = Location(error.filename or "", error.lineno or 0)
        raise Mistakes([Mistake(where, None, f"is not valid Python: {error.msg}")]) from error
    except (Mistakes, BlueprintNotFound):
        raise
    except (Exception, SystemExit) as error:  # a daemon does not end because an edit of its blueprint says exit()
        where = _owners_line(error, own)
        raise Mistakes([Mistake(where, None, _in_words(error))]) from error


def _in_words(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, AttributeError) and isinstance(error.obj, Run):
        text += nearest(error.name or "", [name for name in dir(error.obj) if not name.startswith("_")])
    return text


def _owners_line(error: BaseException, own: set[str]) -> Location:
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if frame.filename in own:
            return Location(frame.filename, frame.lineno or 0)
    last = frames[-1]
    return Location(last.filename, last.lineno or 0)


@contextmanager
def _imports_from(folder: str):  # type: ignore[no-untyped-def]  # a nested callable type would say less than the code
    """Let the blueprint import its neighbours, and forget them afterwards, so that a reload sees their new text."""
    before = set(sys.modules)
    sys.path.insert(0, folder)

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
