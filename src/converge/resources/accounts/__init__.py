"""Users, groups, and the keys that let users in."""

from converge.resources.accounts.authorized_keys import AuthorizedKeys
from converge.resources.accounts.group import Group
from converge.resources.accounts.user import User

__all__ = ["AuthorizedKeys", "Group", "User"]
