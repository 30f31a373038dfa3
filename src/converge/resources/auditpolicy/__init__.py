"""``auditpolicy``: what Windows writes into its security log."""

from converge.resources.auditpolicy.policy import AuditPolicy

__all__ = ["AuditPolicy"]
