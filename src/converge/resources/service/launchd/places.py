"""Where launchd has its files, and how often it is looked at."""

from __future__ import annotations

from typing import Final

OWN_FOLDER: Final = "/Library/LaunchDaemons"
FOLDERS: Final = (OWN_FOLDER, "/System/Library/LaunchDaemons")
"""Where the property lists of daemons are: those of others than Apple, and Apple's."""
OVERRIDES: Final = "/private/var/db/com.apple.xpc.launchd/disabled.plist"
"""Where launchd keeps what was enabled and disabled."""
LOOKED_AT_EVERY: Final = 30.0
"""Seconds between looks: launchd tells nobody what it does, only the kernel tells that a process ended."""
