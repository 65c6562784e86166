"""Who works on the simulated floor: forty people in four teams, their queues and their shifts. All invented.

A larger floor is the same forty several times over: `crowd` says how many times.
"""

from __future__ import annotations

from dataclasses import dataclass

QUEUES = ("sales", "support", "billing", "complaints")

# (team, queues of its first members, queues of the rest, names)
_TEAMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        "Sales",
        ("sales",),
        ("sales", "billing"),
        "王芳,李伟,张敏,刘洋,陈静,Emma Clarke,Diego Alvarez,Aisha Rahman,杨磊,赵丽,Lukas Weber,Olivia Martin",
    ),
    (
        "Support",
        ("support",),
        ("support", "sales"),
        "黄强,周婷,吴昊,徐娜,Priya Nair,Tomasz Nowak,孙鹏,朱琳,Fatima Haddad,Jonas Lindqvist,马超,胡蓉",
    ),
    (
        "Billing",
        ("billing",),
        ("billing", "support"),
        "林峰,何洁,Sofia Rossi,高翔,罗敏,Kwame Mensah,郑凯,Yuki Tanaka",
    ),
    (
        "Complaints",
        ("complaints",),
        ("complaints", "billing", "support"),
        "梁艳,宋杰,Chloe Dubois,谢婷婷,韩冰,Mateus Oliveira,唐薇,Grace O'Connor",
    ),
)

# Hours since midnight: start, end (past 24 for a night), of every ten people how many.
_SHIFTS: tuple[tuple[float, float, int], ...] = (
    (7.5, 16.5, 13),
    (8.5, 17.5, 13),
    (9.5, 18.5, 8),
    (13.0, 21.5, 3),
    (21.0, 31.75, 3),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers calls; `starts_h` and `ends_h` are hours since midnight."""

    agent_id: str
    name: str
    team: str
    queues: tuple[str, ...]
    starts_h: float
    ends_h: float


def everybody(crowd: int = 1) -> tuple[Person, ...]:
    """The forty, in the order of their ids; `crowd` times, those after the first forty with a number behind their names."""
    people: list[Person] = []
    shifts = _spread_shifts(sum(len(names.split(",")) for *_, names in _TEAMS))
    for turn in range(crowd):
        for team, first, rest, names in _TEAMS:
            listed = names.split(",")
            for place, name in enumerate(listed):
                number = len(people)
                queues = first if place < len(listed) // 2 else rest
                called = f"{name} {turn + 1}" if turn else name
                people.append(Person(str(1001 + number), called, team, queues, *shifts[number % len(shifts)]))
    return tuple(people)


def _spread_shifts(count: int) -> list[tuple[float, float]]:
    """Deal the shifts out so that every team has some of each: step through the people by a number prime to 40."""
    dealt = [(start, end) for start, end, heads in _SHIFTS for _ in range(heads)]
    shifts = [dealt[0]] * count
    for turn, shift in enumerate(dealt):
        shifts[turn * 7 % count] = shift
    return shifts
