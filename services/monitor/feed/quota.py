"""How many connections, and filters of their own, each user has at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class TooManyFilters(Exception):
    """A user follows as many different filters as one may."""


class Quota:
    """Counts by user. Each filter costs work with every change, whatever the number of its clients, so it is bounded, too."""

    def __init__(self, max_connections: int, max_filters: int) -> None:
        self._max_connections = max_connections
        self._max_filters = max_filters
        self._connections: Counter[str] = Counter()
        self._filters: dict[str, Counter[Hashable]] = {}

    def connect(self, user: str) -> bool:
        """Count a connection; False, and nothing counted, where the user has as many as one may."""
        if self._connections[user] >= self._max_connections:
            return False
        self._connections[user] += 1
        return True

    def disconnect(self, user: str) -> None:
        """One of the user's connections is gone."""
        self._connections[user] -= 1
        if not self._connections[user]:
            del self._connections[user]

    def check(self, user: str, followed: Hashable) -> None:
        """Raise TooManyFilters unless the user may follow this filter, too."""
        used = self._filters.get(user, ())
        if followed not in used and len(used) >= self._max_filters:
            raise TooManyFilters(f"more than {self._max_filters} different filters of {user} at a time")

    def follow(self, user: str, followed: Hashable) -> None:
        """One more of the user's connections follows it."""
        self._filters.setdefault(user, Counter())[followed] += 1

    def unfollow(self, user: str, followed: Hashable) -> None:
        """One less does."""
        used = self._filters[user]
        used[followed] -= 1
        if not used[followed]:
            del used[followed]
        if not used:
            del self._filters[user]
