"""Property lists of macOS."""

from converge.resources.plist.setting import Plist

__all__ = ["Plist"]
