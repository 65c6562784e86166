"""What the API of listening answers with."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.monitor.listen.chain import Link
from services.monitor.listen.contract import ListenState
from services.monitor.listen.model import Follow
from shared.commands import Mode
from shared.siteconfig import Purpose, TellAgent


class Audio(Struct, frozen=True, kw_only=True, rename={"pass_": "pass"}):
    """Where the sound is: a WebSocket, opened with `?ticket=` and the pass, which is good for so long."""

    url: str
    pass_: str
    expires_in_s: float


class ListenView(Struct, frozen=True, kw_only=True):
    """One listen. `call_id` and `agent_id`: whom it hears now, or heard last. `reason_en` and `reason_zh`: `reason` in words."""

    listen_id: str
    site: str
    user: str
    user_name: str
    follow: Follow
    call_id: str
    agent_id: str
    agent_name: str
    mode: Mode
    purpose: Purpose
    comment: str
    state: ListenState
    reason: str
    reason_en: str
    reason_zh: str
    detail: str  # what the connector said, or which rule of the policy
    muted: str  # "hold": nothing is heard while the customer is on hold
    tell_agent: TellAgent
    started_at: datetime
    live_at: datetime | None
    until: datetime
    ended_at: datetime | None
    audio: Audio | None = None  # for who listens, while it is open


class ListensPage(Struct, frozen=True):
    """Listens, newest first; `next` is the cursor of the following page."""

    listens: tuple[ListenView, ...]
    next: str | None


class PurposeView(Struct, frozen=True):
    """A purpose that may be given."""

    code: Purpose
    label_en: str
    label_zh: str


class PolicyRuleView(Struct, frozen=True):
    """A rule that is about who asks. Empty lists are no condition."""

    teams: tuple[str, ...]
    queues: tuple[str, ...]
    tags: tuple[str, ...]
    modes: tuple[Mode, ...]
    purposes: tuple[Purpose, ...]
    hours: tuple[str, ...]
    days: tuple[str, ...]


class PolicyView(Struct, frozen=True, kw_only=True):
    """What who asks may do at a site. `allowed`: anything at all. `open_now`: the hours of one of the rules are now."""

    site: str
    allowed: bool
    open_now: bool
    purposes: tuple[PurposeView, ...]
    modes: tuple[Mode, ...]
    max_s: float
    mute_on_hold: bool
    tell_agent: TellAgent
    time_zone: str
    rules: tuple[PolicyRuleView, ...]


class AgentListenView(Struct, frozen=True, kw_only=True):
    """A listen as the agent may see it. `modes`: all that it was in with this agent. While it goes on `ended_at` is null."""

    listen_id: str
    user_name: str
    purpose: Purpose
    modes: tuple[Mode, ...]
    call_id: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float  # heard of this agent


class AgentListens(Struct, frozen=True):
    """Who listened to an agent, newest first. `tell_agent`: what the site's policy shows to the agent itself."""

    site: str
    agent_id: str
    tell_agent: TellAgent
    listens: tuple[AgentListenView, ...]
    next: str | None


class AuditPage(Struct, frozen=True):
    """Rows of the audit, newest first. `detail` is JSON; `hash` covers the row and `prev_hash`, that of the row before."""

    rows: tuple[Link, ...]
    next: str | None
