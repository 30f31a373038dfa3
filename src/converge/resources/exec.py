"""``exec``: run a command, unless what it would bring about is there already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from converge.core.change import IN_SYNC, Change, Changes
from converge.core.duration import parse_duration
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Inside, Need, Owned, OwnsTree, Resource, Uses
from converge.core.trigger import Every, PathChanged, Trigger
from converge.host import process
from converge.host.process import command_line

_GUARD_EVERY = 30.0
"""Seconds between two looks at a guard that nothing sends news of."""
_SHOWN_LINES = 20
_SHELL = ["/bin/sh", "-c"]
# Programs whose first argument is the file that they run.
_INTERPRETERS = ("sh", "bash", "dash", "ksh", "zsh", "fish", "python", "perl", "ruby", "node", "php", "lua")


@dataclass(frozen=True, slots=True, repr=False)  # the inherited repr shows no command, input or environment
class Exec(Resource):
    """A command that is run when a *guard* says that it is needed.

    ``command`` is a list, or one line that is split into words and run without a shell; with ``args`` it is the
    program alone. With ``shell=True`` it is one line for ``/bin/sh``.

    Guards: ``unless`` is a command that exits 0 when all is right already, and then ``command`` is not run.
    ``only_if`` MEANS EXACTLY THE SAME: exit 0 is *already right, skip*. (In Puppet, ``onlyif`` is the contrary; the
    name is kept for blueprints that come from the Go tool. Prefer ``unless``.) ``creates`` is a path that exists when
    all is right already. Any guard that holds is enough. A guard that cannot be started is an error.

    Without a guard the command runs once at each start of the daemon. With ``only_on`` it runs when one of those
    resources changed, and only then, and if there is a guard as well, only where that does not hold.

    ``user``, ``dir`` (else ``/``), ``env`` and ``shell`` are for the guards too. ``watch``
    names paths whose change calls for a look at the guard; without it, a guard command is run every 30 seconds.
    """

    kind: ClassVar[str] = "exec"
    keeps_secret = frozenset({"env", "stdin"})

    name: str
    """What it is called; its id is ``exec:NAME``."""
    command: str | Sequence[str]
    """What is run: a list of words, or one line that is split into words; no shell takes part."""
    _: KW_ONLY
    args: Sequence[str] = ()
    """Arguments for a ``command`` that is the program alone."""
    shell: bool = False
    """``command`` and the guards are lines for ``/bin/sh``."""
    only_if: str | Sequence[str] | None = None
    """A guard, the same as ``unless``: exit 0 means *already right, skip*. Prefer ``unless``."""
    unless: str | Sequence[str] | None = None
    """A guard: a command that exits 0 when all is right already."""
    creates: str | None = None
    """A guard: a path that exists when all is right already."""
    only_on: Resource | str | Sequence[Resource | str] = ()
    """Run when one of these resources changed, and only then."""
    dir: str | None = None
    """Where to run. Unset: ``/``."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables for it, beside ``PATH``, ``HOME``, ``USER``, ``LOGNAME``, ``SHELL`` and the locale."""
    user: str | None = None
    """As whom to run, with that user's groups. Unset: as converge itself."""
    stdin: str | bytes | None = None
    """What the command reads. Unset: nothing."""
    retries: int | None = None
    """The same as ``retry``."""
    retry_delay: float | str | None = None
    """Time before the first retry, doubled for each further one. Unset: 5 s."""
    watch: Sequence[str] = ()
    """Paths whose change calls for a look at the guard. Unset: a guard command is run every 30 s."""
    sensitive: bool = False
    """Show neither the command nor its output, anywhere."""

    def __post_init__(self) -> None:
        Resource.__post_init__(self)  # super() does not work in a dataclass with slots
        if self.retry is None:
            object.__setattr__(self, "retry", self.retries)

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        if not self.name.strip():
            yield "the name is empty"
        yield from self._mistakes_in_command("command", self.command)
        if self.shell and (self.args or not isinstance(self.command, str)):
            yield "shell=True takes one line of text, neither a list nor args"
        elif self.args and not isinstance(self.command, str):
            yield "arguments are given both in the command's list and in args; put all of them in one"
        for option, guard in (("only_if", self.only_if), ("unless", self.unless)):
            if guard is not None:
                yield from self._mistakes_in_command(option, guard)
        yield from self._mistakes_in_paths()
        for name, value in self.env.items():
            if not name or "=" in name or any(c.isspace() for c in name) or not command_line.can_be_given(name):
                yield f"env has {name!r}, which is no name for a variable"
            elif not command_line.can_be_given(value):
                yield f"env {name} has a value that no program can be given (a NUL character, or broken text)"
        if self.user is not None and not (self.user and command_line.can_be_given(self.user)):
            yield f"{self.user!r} is no name for a user"
        if isinstance(self.stdin, str) and not command_line.can_be_encoded(self.stdin):
            yield "stdin has broken text; give bytes"
        yield from self._mistakes_in_numbers()
        if self.watch and not self._guarded():
            yield "watch says when to look at a guard, and there is none; add unless= or creates=, or use only_on="
        elif self.watch and self.refreshed_by():
            yield "watch and only_on exclude each other: with only_on the command runs on their change alone"

    def _mistakes_in_command(self, option: str, command: str | Sequence[str]) -> Iterator[str]:
        args = self.args if option == "command" else ()
        if not (command.strip() if isinstance(command, str) else command and command[0]):
            yield f"{option} is empty"
            return
        if not all(command_line.can_be_given(word) for word in ([command] if isinstance(command, str) else command)):
            yield f"{option} has text that no program can be given (a NUL character, or broken text)"
            return
        if isinstance(command, str) and not (self.shell or args) and (why := command_line.mistake(command)):
            yield f"{option} {why}"
            return
        program = self._argv(command, args)[0]
        if "/" in program and not os.path.isabs(program) and self.dir is None:
            yield f"{option} runs {program}, a relative path; give dir=, or the full path"

    def _mistakes_in_paths(self) -> Iterator[str]:
        for option, path in (("dir", self.dir), ("creates", self.creates), *(("watch", each) for each in self.watch)):
            if path is not None and not (os.path.isabs(path) and command_line.can_be_given(path)):
                yield f"{option} takes a full path such as /srv/app, not {path!r}"

    def _mistakes_in_numbers(self) -> Iterator[str]:
        for option, duration in (("timeout", self.timeout), ("retry_delay", self.retry_delay)):
            try:
                parse_duration(duration or 0)
            except (ValueError, OverflowError) as error:
                yield f"{option}: {error}"
        if self.retries is None:
            return
        if self.retries < 0:
            yield f"retries takes zero or more, not {self.retries}"
        if self.retry != self.retries:
            yield f"retry={self.retry} and retries={self.retries} are the same option; give one"

    def needs(self) -> Sequence[Need]:
        needs: list[Need] = []
        for argv in (self._command(), *self._guards()):
            for path in self._files_run(argv):
                needs += [Uses(f"file:{path}"), Inside(path)]
        if self.dir is not None:
            needs += [Uses(f"file:{os.path.normpath(self.dir)}"), Inside(self.dir)]
        if self.creates is not None:
            needs.append(Inside(self.creates))
        if self.user is not None:
            needs.append(Uses(f"user:{self.user}"))
        return tuple(dict.fromkeys(needs))

    def refreshed_by(self) -> Sequence[Resource | str]:
        return (self.only_on,) if isinstance(self.only_on, Resource | str) else tuple(self.only_on)

    def owns(self) -> Iterable[Owned]:
        return () if self.creates is None else (OwnsTree(self.creates, remade=True),)

    def triggers(self) -> Sequence[Trigger]:
        if self.refreshed_by():
            return ()
        triggers: list[Trigger] = [PathChanged(path) for path in self.watch]
        if self.creates is not None:
            triggers.append(PathChanged(self.creates))
        if self._guards() and not self.watch:
            triggers.append(Every(_GUARD_EVERY))
        return tuple(triggers)

    def runs_once(self) -> bool:
        return not (self._guarded() or self.refreshed_by())

    def needs_root(self) -> str | None:
        if self.user is None or os.geteuid() == 0:
            return None
        try:
            ours = process.find_user(self.user).pw_uid == os.geteuid()
        except NotYet:
            ours = False
        return None if ours else f"it runs as user {self.user}"

    def retry_delay_seconds(self) -> float | None:
        return None if self.retry_delay is None else parse_duration(self.retry_delay)

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        if self.refreshed_by():
            return IN_SYNC
        shown = "(sensitive)" if self.sensitive else self._show(self._command())
        to_run = (Change("run", None, shown if self._guarded() else f"{shown} (unguarded)", "run"),)
        try:
            if self._guarded() and self._holds():
                return IN_SYNC
            process.prepare(self._command(), cwd=self._folder(), env=self.env, user=self.user)
        except PermissionError:
            return (Change("run", None, shown, "unknown"),)
        except NotYet as error:
            raise NotYet(str(error), error.needs, to_run) from error
        return to_run

    def apply(self, state: Changes) -> None:
        del state  # there is but one thing to do
        stdin = self.stdin.encode("utf-8", "surrogateescape") if isinstance(self.stdin, str) else self.stdin
        result = self._run("command", self._command(), stdin)
        if result.returncode != 0:
            raise ResourceError(self._told("command", self._command(), f"ended with {result.ending()}", result.output))

    def refresh(self, causes: Sequence[str]) -> None:
        del causes
        if not (self._guarded() and self._holds()):
            self.apply(IN_SYNC)

    def _holds(self) -> bool:
        """Whether a guard holds. Raises PermissionError where only root can tell."""
        if self.creates is not None:
            try:
                os.stat(self.creates)
            except (FileNotFoundError, NotADirectoryError):
                pass  # it does not hold; the others may
            else:
                return True
        guards = self._guards()
        if guards and (why := self.needs_root()):
            raise PermissionError(f"the guard cannot be run: {why}")
        return any(self._run_guard(guard) for guard in guards)

    def _run_guard(self, guard: list[str]) -> bool:
        result = self._run("guard", guard)
        if result.returncode < 0:
            raise ResourceError(self._told("guard", guard, f"gave no answer: {result.ending()}", result.output))
        return result.returncode == 0

    def _run(self, role: str, argv: list[str], stdin: bytes | None = None) -> process.Result:
        seconds = self.seconds() or None
        result = process.run(argv, cwd=self._folder(), env=self.env, user=self.user, stdin=stdin, timeout=seconds)
        if result.timed_out:
            ended = f"did not end within {seconds:g} s and was ended, with its whole process group"
            raise ResourceError(self._told(role, argv, ended, result.output))
        return result

    def _told(self, role: str, argv: list[str], ended: str, output: str) -> str:
        """What happened, for a person, with the end of the output, as that mostly says why."""
        if self.sensitive:
            return f"{role} {ended} (it is sensitive, and so is its output)"
        said = f"{role} {command_line.shortened(self._show(argv))} {ended}"
        lines = output.rstrip().split("\n")[-_SHOWN_LINES:]
        return f"{said}; the end of its output:\n" + "\n".join(lines) if lines[-1] else f"{said}, without any output"

    # --- its words ----------------------------------------------------------------------------------------

    def _folder(self) -> str:
        return self.dir or "/"  # the same wherever converge was started

    def _guarded(self) -> bool:
        return not (self.creates is None and self.only_if is None and self.unless is None)

    def _command(self) -> list[str]:
        return self._argv(self.command, self.args)

    def _guards(self) -> list[list[str]]:
        return [self._argv(guard) for guard in (self.only_if, self.unless) if guard is not None]

    def _argv(self, command: str | Sequence[str], args: Sequence[str] = ()) -> list[str]:
        if not isinstance(command, str):
            return [*command, *args]
        if self.shell:
            return [*_SHELL, command]
        return [command, *args] if args else command_line.split(command)

    def _show(self, argv: list[str]) -> str:
        return argv[2] if argv[:2] == _SHELL else command_line.join(argv)

    def _files_run(self, argv: Sequence[str]) -> Iterator[str]:
        """The files that running this reads: the program, and the script that an interpreter is given."""
        program, *rest = argv
        if "/" in program:
            yield os.path.normpath(os.path.join(self._folder(), program))
        if os.path.basename(program).rstrip("0123456789.") in _INTERPRETERS:
            script = next((word for word in rest if not word.startswith("-")), "")
            if argv[:2] == _SHELL:  # a whole line: its first word
                script = "".join(script.split(maxsplit=1)[:1])
            if os.path.isabs(script):
                yield os.path.normpath(script)
