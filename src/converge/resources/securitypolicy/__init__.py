"""``securitypolicy``: Windows' rules for passwords, and for accounts that are locked after wrong ones."""

from converge.resources.securitypolicy.policy import SecurityPolicy

__all__ = ["SecurityPolicy"]
