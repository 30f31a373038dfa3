"""Programs of macOS that the ``cis`` blueprint runs: what they print and take, with a state in a file.

What they print is what the manual pages and the guides of the macOS Security Compliance Project have.
"""

from __future__ import annotations

import json
import plistlib
import re
import sys
from pathlib import Path
from typing import Any

PATHS = frozenset({
    "/usr/sbin/spctl", "/usr/sbin/systemsetup", "/usr/sbin/cupsctl", "/usr/bin/pmset", "/usr/bin/dscl",
    "/usr/bin/security", "/usr/bin/plutil", "/usr/bin/pwpolicy", "/usr/bin/pgrep", "/usr/sbin/audit",
    "/usr/libexec/ApplicationFirewall/socketfilterfw",
    "/System/Library/CoreServices/RemoteManagement/ARDAgent.app/Contents/Resources/kickstart",
})  # fmt: skip

FRESH: dict[str, Any] = {
    "gatekeeper": "disabled",
    "time": "Off",
    "printers": 1,
    "power": {"powernap": 1, "womp": 1, "sleep": 1},
    "hints": {"ada": "the cat", "bob": "the dog"},
    "policy": {"minChars": 4, "usingHistory": 0},
    "rights": {},
    "firewall": 0,
    "stealth": 0,
    "agent": 1,
}


def main() -> int:
    """One of them, by the name that it is called by."""
    program, *words = sys.argv
    path = Path(program).parent / "state.json"
    state = json.loads(path.read_text())
    code = globals()[f"_{Path(program).name}"](state, words)
    path.write_text(json.dumps(state))
    return int(code or 0)


def _spctl(state: dict[str, Any], words: list[str]) -> int:
    if words == ["--global-enable"]:
        state["gatekeeper"] = "enabled"
        return 0
    assert words == ["--status"]
    print(f"assessments {state['gatekeeper']}")
    return int(state["gatekeeper"] != "enabled")


def _systemsetup(state: dict[str, Any], words: list[str]) -> None:
    if words[0] == "-setusingnetworktime":
        state["time"] = words[1].capitalize()
    else:
        assert words == ["-getusingnetworktime"]
    print(f"Network Time: {state['time']}")


def _cupsctl(state: dict[str, Any], words: list[str]) -> None:
    if words == ["--no-share-printers"]:
        state["printers"] = 0
    else:
        assert not words
        print(f"_debug_logging=0\n_remote_admin=0\n_share_printers={state['printers']}")


def _pmset(state: dict[str, Any], words: list[str]) -> None:
    if words[0] == "-a":
        state["power"][words[1]] = int(words[2])
        return
    assert words == ["-g", "custom"]
    print("AC Power:\n" + "".join(f" {key:<21}{value}\n" for key, value in state["power"].items()))


def _dscl(state: dict[str, Any], words: list[str]) -> None:
    if words[1] == "-delete":
        del state["hints"][words[2].removeprefix("/Users/")]
        assert words[3] == "hint"
        return
    assert words == [".", "-list", "/Users", "hint"]
    print("".join(f"{name:<20}{hint}\n" for name, hint in state["hints"].items()))


def _security(state: dict[str, Any], words: list[str]) -> int:
    quiet, what, verb, right, *rule = words
    assert (quiet, what) == ("-q", "authorizationdb")
    if verb == "read":
        found = state["rights"].get(right, {"class": "user", "shared": True, "timeout": 300})
        sys.stdout.buffer.write(plistlib.dumps(found))
    else:
        state["rights"][right] = {"rule": rule} if rule else plistlib.loads(sys.stdin.buffer.read())
    return 0


def _plutil(state: dict[str, Any], words: list[str]) -> int:
    del state
    verb, key, *rest = words
    found = plistlib.loads(sys.stdin.buffer.read())
    if verb == "-extract":
        assert rest == ["raw", "-o", "-", "-"]
        if key not in found:
            print("Could not extract value, error: No value at that key path", file=sys.stderr)
            return 1
        print(str(found[key]).lower() if isinstance(found[key], bool) else found[key])
        return 0
    assert verb == "-replace"
    kind, value, *rest = rest
    assert rest == ["-o", "-", "-"]
    found[key] = {"-bool": value in ("YES", "true"), "-string": value}[kind]
    sys.stdout.buffer.write(plistlib.dumps(found))
    return 0


def _pwpolicy(state: dict[str, Any], words: list[str]) -> None:
    assert words[:2] == ["-n", "/Local/Default"]
    if words[2] == "-setglobalpolicy":
        for key, value in re.findall(r"(\w+)=(\d+)", words[3]):
            state["policy"][key] = int(value)
        return
    assert words[2:] == ["-getglobalpolicy"]
    print(" ".join(f"{key}={value}" for key, value in state["policy"].items()))


def _pgrep(state: dict[str, Any], words: list[str]) -> int:
    assert words == ["-qx", "ARDAgent"]
    return int(not state["agent"])


def _kickstart(state: dict[str, Any], words: list[str]) -> None:
    assert words == ["-deactivate", "-stop"]
    state["agent"] = 0


def _audit(state: dict[str, Any], words: list[str]) -> None:
    assert words == ["-s"]
    state["audit"] = "read again"


def _socketfilterfw(state: dict[str, Any], words: list[str]) -> None:
    verb, *value = words
    if verb == "--setglobalstate":
        state["firewall"] = int(value == ["on"])
    elif verb == "--setstealthmode":
        state["stealth"] = int(value == ["on"])
    elif verb == "--getglobalstate":
        print(f"Firewall is {'enabled' if state['firewall'] else 'disabled'}. (State = {state['firewall']})")
    else:
        assert verb == "--getstealthmode"
        print(f"Firewall stealth mode is {'on' if state['stealth'] else 'off'}")


if __name__ == "__main__":
    sys.exit(main())
