"""A stand-in for defaults(1) and for cfprefsd, which writes what it was told to the disk a moment later."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from pathlib import Path

MEMORY = Path(__file__).with_name("preferences")
_LATER = "import os, sys, time; time.sleep(0.3); os.replace(sys.argv[1], sys.argv[2])"


def main(verb: str, domain: str, *rest: str) -> None:
    memory: dict[str, dict[str, object]] = plistlib.loads(MEMORY.read_bytes()) if MEMORY.exists() else {}
    disk = Path(f"{domain}.plist")
    settings = memory.get(domain) or (plistlib.loads(disk.read_bytes()) if disk.exists() else {})
    if verb == "export":
        if not settings:
            sys.exit(f"The domain/default pair of ({domain}, (null)) does not exist")
        sys.stdout.buffer.write(plistlib.dumps(settings))
        return
    if verb == "write":
        settings[rest[0]] = plistlib.loads(b"<plist>" + rest[1].encode() + b"</plist>")
    elif verb == "delete":
        del settings[rest[0]]
    new = MEMORY.with_name(f"new-{os.getpid()}")
    new.write_bytes(plistlib.dumps(memory | {domain: settings}))
    new.replace(MEMORY)
    new.write_bytes(plistlib.dumps(settings, fmt=plistlib.FMT_BINARY))
    subprocess.Popen([sys.executable, "-S", "-c", _LATER, new, disk], start_new_session=True)


main(*sys.argv[1:])
