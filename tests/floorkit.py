"""Building canonical events by hand: a floor whose clock starts at 09:00 UTC and counts in seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import Rule, RuleBook, Summary, Where
from shared import events
from shared.envelope import Data
from shared.events import Event
from shared.facts import Fact
from shared.siteconfig import QueueConfig, SiteConfig, Sites

SITE = "hq"
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CONFIG = Sites({SITE: SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6)})})
D = TypeVar("D", bound=Data)


def at(second: float) -> datetime:
    """`second` seconds after the floor opened."""
    return START + timedelta(seconds=second)


def event(second: float, data: Data, offset: int = -1, site: str = SITE) -> Event:
    """One event; `offset` is its position, -1 for none."""
    return events.make(
        data,
        id=f"{site}:{offset}",
        source=f"/sites/{site}/test",
        site=site,
        time=at(second),
        rawpartition=0 if offset >= 0 else -1,
        rawoffset=offset,
    )


def rule(name: str, subject: str, hold: float, **when: str) -> Rule:
    """A rule whose `when` is one value a field."""
    return Rule(
        name=name,
        subject=subject,  # type: ignore[arg-type]
        when={field: frozenset({value}) for field, value in when.items()},
        hold=timedelta(seconds=hold),
        severity="warning",
        where=Where(),
        summary=Summary(en="{state} over {for}", zh="{state} 超过 {for}"),
    )


RULES = RuleBook(
    (
        rule("slow_transfer", "transfer", 7, state="running"),
        rule("long_hold", "agent", 60, state="hold"),
        rule("long_wrap", "agent", 45, state="wrap"),
        rule("long_wait", "call", 30, state="queued"),
    )
)


class Bench:
    """An engine, fed one event after the other with growing positions."""

    def __init__(self, rules: RuleBook = RULES, config: Sites = CONFIG) -> None:
        self.engine = Engine(config, rules)
        self.facts: list[Fact] = []
        self._offset = 0

    def __call__(self, second: float, *data: Data) -> list[Fact]:
        """Apply `data`, all at `second`; what they made true."""
        made: list[Fact] = []
        for one in data:
            made += self.engine.apply(event(second, one, self._offset))
            self._offset += 1
        self.facts += made
        return made

    def mark(self, second: float) -> list[Fact]:
        """Let the switch's clock reach `second`."""
        made = self.engine.apply(event(second, events.Clock()))
        self.facts += made
        return made

    def agent(self, agent_id: str) -> str:
        """The displayed state of an agent."""
        view = self.engine.view("agent", SITE, agent_id)
        assert view is not None
        return str(view.state)  # type: ignore[attr-defined]

    def made(self, kind: type[D]) -> list[D]:
        """The facts of one kind so far."""
        return [fact.data for fact in self.facts if isinstance(fact.data, kind)]
