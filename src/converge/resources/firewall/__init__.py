"""The packet filter: rules and default policies in a table of our own, ``inet converge``, through nftables."""

from converge.resources.firewall.policy import FirewallPolicy
from converge.resources.firewall.rule import Firewall

__all__ = ["Firewall", "FirewallPolicy"]
