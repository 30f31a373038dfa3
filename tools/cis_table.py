"""The recommendations of the ``cis`` blueprint as Markdown, from the very catalogues that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from converge.blueprints.run import Run
from converge.core.platform import Os, pretended_platform
from converge.shipped.cis import darwin, linux, windows
from converge.shipped.cis.darwin import tables as macos_catalogue
from converge.shipped.cis.linux import tables as catalogue
from converge.shipped.cis.rule import Careful, Rule
from converge.shipped.cis.windows import tables as windows_catalogue

G = TypeVar("G", bound=Careful)

_ASIDE = ("exec:ssh reads", "exec:systemd-", "file:/run/sshd", "file:/etc/ssh/sshd_config")
"""What only serves other resources, unless a recommendation is about nothing else."""


def tables(system: str) -> str:
    """A table for each section."""
    return _TABLES[system]()


def _linux() -> str:
    everything = linux.rules()
    return "\n".join(
        "".join(_linux_table(name, [rule for rule in everything if rule.section == name]))
        for name in catalogue.SECTIONS
    )


def _linux_table(section: str, rules: list[catalogue.Rule]) -> Iterator[str]:
    yield f"### {section}\n\n"
    yield f"| {' | '.join(catalogue.EDITIONS.values())} | recommendation | why | only with | resources |\n"
    yield f"|{'---|' * (len(catalogue.EDITIONS) + 4)}\n"
    for rule in rules:
        numbers = [", ".join(rule.own_numbers(edition)) or "–" for edition in catalogue.EDITIONS]
        resources = ", ".join(f"`{id}`" for id in _linux_ids(rule))
        yield f"| {' | '.join(numbers)} | {rule.title} | {rule.why} | {_also(rule.extra)} | {resources} |\n"


def _also(extra: str) -> str:
    return f"`also` ({extra})" if extra else ""


def _linux_ids(rule: catalogue.Rule) -> list[str]:
    run = Run(platform=pretended_platform("linux", "debian"))
    # Parameters with which everything is declared.
    given = linux.Options(banner="-", cron_users=("root",), static_ipv6=True, time_servers=("ntp.example.com",),
                           ssh_users=("ada",))  # fmt: skip
    linux.declare(run, [rule], given)
    ids = list(run._declared)
    return [id for id in ids if not id.startswith(_ASIDE) or "sshd_config.d" in id] or ids[-1:]


def _windows() -> str:
    given = windows.Options(banner="-", banner_title="-", unguarded=tuple(windows_catalogue.GUARDS))
    return _guarded(windows.rules(), "windows", lambda run, rule: windows.declare(run, [rule], given))


def _macos() -> str:
    given = darwin.Options(banner="-", people=("NAME",), unguarded=tuple(macos_catalogue.GUARDS))
    return _guarded(darwin.rules(), "darwin", lambda run, rule: darwin.declare(run, [rule], given))


def _guarded(rules: Sequence[Rule[G]], system: Os, declare: Callable[[Run, Rule[G]], None]) -> str:
    def rows(section: str) -> Iterator[str]:
        yield f"### {section}\n\n"
        yield "| number | recommendation | why | only with | resources |\n|---|---|---|---|---|\n"
        for rule in rules:
            if rule.section == section:
                run = Run(platform=pretended_platform(system))
                declare(run, rule)
                resources = ", ".join(f"`{id}`" for id in run._declared)
                needs = (f"`unguarded={rule.guard}`" if rule.guard else "", _also(rule.extra))
                guard = ", ".join(each for each in needs if each)
                yield f"| {rule.number} | {rule.title} | {rule.why} | {guard} | {resources} |\n"

    return "\n".join("".join(rows(section)) for section in dict.fromkeys(rule.section for rule in rules))


_TABLES: dict[str, Callable[[], str]] = {"linux": _linux, "windows": _windows, "macos": _macos}
