"""Settings of the Linux kernel, as sysctl(8) knows them."""

from converge.resources.sysctl.setting import Sysctl

__all__ = ["Sysctl"]
