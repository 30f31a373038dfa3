"""Reads files of ``/etc/cron.d``, to declare what they run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from converge.resources.base import Adopted, ResourceError
from converge.resources.cron import FOLDER, Cron
from converge.resources.file.adoption import adopt_file

_VARIABLE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")


def adopt_cron(name: str) -> Adopted:
    """The job in a file of ``/etc/cron.d``; the file as it is where not converge wrote it."""
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
        if found := _VARIABLE.fullmatch(line):
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
