"""``cron``: a command that cron runs, in a file of its own in ``/etc/cron.d``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar

from converge.core.change import Changes
from converge.core.errors import NotYet, ResourceError
from converge.core.resource import Adopted, Need, Owned, OwnsPath, Resource, Uses
from converge.core.trigger import PathChanged, Trigger
from converge.resources.file import File
from converge.resources.file.entry import Presence

if TYPE_CHECKING:
    from typing import Self

FOLDER = "/etc/cron.d"
_PACKAGES = ("cron", "cronie")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""What cron reads: it passes over files with a dot in their name."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = ("@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
"""Of a schedule, in their order, with the least and the greatest number, and names; see crontab(5)."""
_LONGEST = 998
"""Characters of a command that cron takes: its MAX_COMMAND is 1000."""


@dataclass(frozen=True, slots=True)
class Cron(Resource):
    """A command that cron runs by a schedule.

    It is all that is in the file ``/etc/cron.d/NAME``.
    """

    kind: ClassVar[str] = "cron"
    platforms = ("linux",)
    adoption = "by name"

    name: str
    """What its file is called: letters, digits, ``-`` and ``_``."""
    command: str = field(default="", repr=False)
    """One line for ``/bin/sh``, written as there: a ``%`` is a ``%``."""
    schedule: str = ""
    """Five fields as in crontab(5), such as ``*/5 * * * *``, or ``@daily`` and the like."""
    _: KW_ONLY
    user: str = "root"
    """As whom it runs."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """Variables that it gets, such as ``PATH`` and ``MAILTO``."""
    state: Presence = "present"
    """Whether it is to be there."""

    # --- what it is ---------------------------------------------------------------------------------------

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"the name {self.name!r} is not made of letters, digits, '-' and '_', so cron would not read its file"
        if self.is_removal():
            if self.command or self.schedule or self.env:
                yield 'with state="absent" nothing is run; leave out command, schedule and env'
            return
        if not self.command.strip():
            yield "command is empty"
        elif not self.command.isprintable() or len(_escaped(self.command)) > _LONGEST:
            yield f"command must be one line of at most {_LONGEST} characters; put more into a script"
        elif re.search(r"\\[\\%]", self.command):
            yield (
                "command has a backslash before another one or before a %, which crons read in different ways; "
                "write a % as it is, and put the rest into a script"
            )
        yield from schedule_mistakes(self.schedule)
        if not re.fullmatch(r"[^\s#%:]+", self.user):
            yield f"{self.user!r} is no name for a user"
        for name, value in self.env.items():
            if not _VARIABLE.fullmatch(name):
                yield f"env has {name!r}, which is no name for a variable"
            elif not value.isprintable() or ('"' in value and "'" in value):
                yield f"env {name} has a value that cannot be written for cron: it holds a line break, or both quotes"

    def is_removal(self) -> bool:
        return self.state == "absent"

    def needs(self) -> Sequence[Need]:
        return (Uses(f"user:{self.user}"), *(Uses(f"package:{name}") for name in _PACKAGES))

    def owns(self) -> Iterable[Owned]:
        return (OwnsPath(f"{FOLDER}/{self.name}", owner=True, group=True),)

    def triggers(self) -> Sequence[Trigger]:
        return (PathChanged(f"{FOLDER}/{self.name}"),)

    def needs_root(self) -> str | None:
        return None if os.geteuid() == 0 else f"only root can write into {FOLDER}"

    # --- what it does -------------------------------------------------------------------------------------

    def check(self) -> Changes:
        from converge.host import process

        file = self._file()
        if self.is_removal():
            return file.check()
        if not os.path.isdir(FOLDER):
            raise NotYet(f"{FOLDER} does not exist; is cron installed?", "package:cron", file.creation())
        try:
            process.find_user(self.user)  # cron passes over what it has no user for
        except NotYet as error:
            raise NotYet(str(error), error.needs, file.creation()) from error
        return file.check()

    def apply(self, state: Changes) -> None:
        self._file().apply(state)

    @classmethod
    def adopt(cls, name: str) -> Adopted:
        return adopt_cron(name)

    @classmethod
    def tidy_many(cls, resources: Sequence[Self]) -> None:
        File.tidy_many([resource._file() for resource in resources])

    def _file(self) -> File:
        path = f"{FOLDER}/{self.name}"
        if self.is_removal():
            return File(path, state="absent")
        # cron reads only what nobody but root can write.
        return File(path, content=self._text(), owner=0, group=0, mode=0o644)

    def _text(self) -> str:
        variables = "".join(f"{name}={_quoted(value)}\n" for name, value in self.env.items())
        line = f"{' '.join(self.schedule.split())} {self.user} {_escaped(self.command)}\n"
        return f"# Kept by converge (cron:{self.name}).\n{variables}{line}"


def schedule_mistakes(schedule: str) -> Iterator[str]:
    """Whatever is wrong with a schedule. As in a crontab, any number of spaces and tabs stand between its fields."""
    schedule = schedule.replace("\t", " ").strip(" ")
    if schedule.startswith("@"):
        if schedule not in _WORDS:
            yield f"the schedule {schedule!r} is none of {', '.join(_WORDS)}"
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS) or not schedule.isprintable():
        yield f"the schedule {schedule!r} has not five fields: minute, hour, day of the month, month, day of the week"
        return
    for text, (what, least, most, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_part(part, least, most, names) for part in text.split(",")):
            yield f"the schedule has {text!r} as the {what}, which takes {least} to {most}, lists, ranges and steps"


def _is_part(part: str, least: int, most: int, names: Sequence[str]) -> bool:
    """``*``, ``5``, ``1-5``, ``*/2``, ``1-5/2``; a name in the place of a number."""
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and step.isascii() and 1 <= int(step) <= most):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    numbers = [_number(text, least, names) for text in ((first, last) if dash else (first,))]
    if slash and not dash:
        return False
    return all(number is not None and least <= number <= most for number in numbers) and numbers == sorted(
        numbers, key=lambda number: number or 0
    )


def _number(text: str, least: int, names: Sequence[str]) -> int | None:
    if text.isdecimal() and text.isascii():
        return int(text)
    return names.index(text.lower()) + least if text.lower() in names else None


def _escaped(command: str) -> str:
    """In a crontab a bare ``%`` is a line break."""
    return command.replace("%", "\\%")


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


_ASSIGNED = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")


def adopt_cron(name: str) -> Adopted:
    """The job in a file of ``/etc/cron.d``; the file as it is where not converge wrote it."""
    from converge.resources.file.adopt import adopt_file  # in here: Windows has no grp

    path = f"{FOLDER}/{name}"
    wrong = next((text for text in Cron(name, "-", "@daily").mistakes()), None)
    if wrong is not None:
        raise ResourceError(wrong)
    adopted = adopt_file(path)
    cron = parse(name, getattr(adopted.resource, "content", None) or "")
    if cron is None:
        return adopted._replace(remarks=(*adopted.remarks, "It is not a single job, so it is declared as a file."))
    if not cron.check():
        return Adopted(cron)
    return adopted._replace(
        remarks=(*adopted.remarks, "It was not written by r.cron, which would write the same job in its own form:"),
        instead=cron,
    )


def parse(name: str, text: str) -> Cron | None:
    """The only job in the file; None where there are more, or none that can be declared."""
    env: dict[str, str] = {}
    jobs: list[Cron] = []
    for line in _told(text):
        if found := _ASSIGNED.fullmatch(line):
            if jobs:
                return None  # it holds for what follows only
            env[found[1]] = _unquoted(found[2].strip())
        elif job := _job(name, line, env):
            jobs.append(job)
        else:
            return None
    return jobs[0] if len(jobs) == 1 and not any(jobs[0].mistakes()) else None


def _told(text: str) -> Iterator[str]:
    """The lines that are neither blank nor a comment."""
    return (line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#"))


def _job(name: str, line: str, env: Mapping[str, str]) -> Cron | None:
    times = 1 if line.lstrip().startswith("@") else 5
    fields = line.split(None, times + 1)
    if len(fields) != times + 2 or re.search(r"(?<!\\)%", fields[-1]):  # a bare % begins the command's input
        return None
    *schedule, user, command = fields
    return Cron(name, command.replace("\\%", "%").strip(), " ".join(schedule), user=user, env=dict(env))


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
