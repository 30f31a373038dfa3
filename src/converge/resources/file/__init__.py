"""Files, directories and symbolic links."""

from converge.resources.file.directory import Directory
from converge.resources.file.edits import Block, Line
from converge.resources.file.file import File
from converge.resources.file.symlink import Symlink

__all__ = ["Block", "Directory", "File", "Line", "Symlink"]
