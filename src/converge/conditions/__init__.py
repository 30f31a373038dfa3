"""Gates: a resource with a condition is left alone until the condition first holds. One file for each subject."""

from converge.conditions.base import Condition
from converge.conditions.files import file_exists

__all__ = ["Condition", "file_exists"]
