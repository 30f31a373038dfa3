"""``service``: something that runs in the background or does not, now and after the next boot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Final, Literal, TypeAlias, cast

from converge.core.change import Changes, Verb
from converge.core.platform import Os
from converge.core.provider import load
from converge.core.resource import Resource

RunState: TypeAlias = Literal["running", "stopped"]
StartupType: TypeAlias = Literal["auto", "delayed-auto", "manual", "disabled"]

SHORT: Final = 3
"""Characters that a name needs for files to be found by it."""
_MANAGERS: Final[dict[Os, str]] = {
    "linux": "converge.resources.service.systemd:SystemdService",
    "darwin": "converge.resources.service.launchd:LaunchdService",
    "windows": "converge.resources.service.scm:ScmService",
}
"""The class that declares a service on each system; imported when a blueprint declares one."""


@dataclass(frozen=True, slots=True)
class Service(Resource):
    """A service of the system: whether it runs now, and whether it is started at boot.

    On Linux ``name`` may be of any type of unit that can be started: ``ssh`` (the same as ``ssh.service``),
    ``fstrim.timer``, ``docker.socket``, ``getty@tty2``. All that is not said is left as it is.
    """

    kind: ClassVar[str] = "service"
    left_as_is = frozenset({"state", "enable", "masked", "startup_type"})
    platforms = ("linux", "darwin", "windows")
    options_only_on: ClassVar = {"masked": ("linux",), "startup_type": ("windows",)}
    adoption = "by name"
    batch_check: ClassVar[bool] = True

    name: str
    """What the system's manager of services calls it. A unit of systemd without a type is a ``.service``."""
    _: KW_ONLY
    state: RunState | None = None
    """Whether it is to run now. Running is what systemd calls *active*. Unset: unchanged."""
    enable: bool | None = None
    """Whether it is started at boot, or by what its ``[Install]`` section names. Unset: unchanged."""
    masked: bool | None = None
    """Whether nobody may start it at all. Unset: unchanged."""
    startup_type: StartupType | None = None
    """Who starts it: Windows at boot (``auto``) or a while after (``delayed-auto``), others (``manual``), nobody."""
    restart_on: Resource | str | Sequence[Resource | str] = ()
    """Restart it when one of these resources changed."""
    reload_on: Resource | str | Sequence[Resource | str] = ()
    """Have it read its configuration anew when one of these changed; a unit that cannot do that is restarted."""

    def adds_up(self) -> frozenset[str]:
        return frozenset(("restart_on", "reload_on"))

    @classmethod
    def for_system(cls, system: Os) -> type[Resource]:
        return cast("type[Service]", load(_MANAGERS[system]))

    def identity(self) -> str:
        return self.name

    def mistakes(self) -> Iterator[str]:
        asked = (self.state, self.enable, self.masked, self.startup_type)
        if all(each is None for each in asked) and not self.refreshed_by():
            yield "nothing is wanted of it; give state, enable, masked or startup_type, or restart_on or reload_on"
        if self.refreshed_by() and (self.masked or self.state == "stopped"):
            yield "restart_on and reload_on have no meaning for what is not to run"

    def stops_before_removal(self) -> bool:
        return self.state == "stopped" or self.enable is False or self.startup_type == "disabled"

    def refreshed_by(self) -> Sequence[Resource | str]:
        return (*_several(self.restart_on), *_several(self.reload_on))

    def apply_refreshes(self, state: Changes) -> bool:
        return any(change.property == "state" for change in state)

    def group_key(self, verb: Verb) -> str | None:
        """One question for all; but each is started by itself, so that a slow one holds up nobody."""
        return "service" if verb == "check" else None

    def only_reloads(self, causes: Sequence[str]) -> bool:
        """Whether what changed asks for no restart."""
        return {each if isinstance(each, str) else each.id for each in _several(self.restart_on)}.isdisjoint(causes)


def _several(wanted: Resource | str | Sequence[Resource | str]) -> Sequence[Resource | str]:
    return (wanted,) if isinstance(wanted, Resource | str) else wanted
