"""Listens and forks as the session machine has them: plain values, whose fields are the tables' columns. Times are our clock."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct, field

from services.monitor.listen.contract import ListenState
from shared.commands import Mode, Side
from shared.siteconfig import Purpose, TellAgent

Follow = Literal["call", "agent"]
ForkState = Literal["ordered", "taken", "done", "up", "ended"]

# why a listen is in its state, in words for people
REASONS: Final = MappingProxyType(
    {
        # while it starts, waits, or is live in mode listen again
        "not_answered": ("nobody talks in this call yet", "通话尚未接通"),
        "between_calls": ("the agent is in no call", "座席当前没有通话"),
        "retrying": ("the sound was lost; it is asked for again", "声音中断，正在重新接入"),
        "relay_restarted": ("the audio relay began anew; the sound is asked for again", "音频中继已重启，正在重新接入"),
        "connection_lost": ("the page's connection was lost", "页面连接已断开"),
        "transferred": ("the call was transferred: you only listen again", "通话已转接，已恢复为仅监听"),
        "agent_left": ("the agent left the call: you only listen again", "座席已离开通话，已恢复为仅监听"),
        "mode_failed": ("the switch did not change the mode: you only listen", "交换机未能切换模式，仅监听"),
        # when it ended
        "by_listener": ("ended by the listener", "监听者已结束"),
        "by_other": ("ended by somebody else", "已被其他人结束"),
        "closed": ("the listener closed the page", "监听者关闭了页面"),
        "call_ended": ("the call is over", "通话已结束"),
        "agent_offline": ("the agent logged off", "座席已签出"),
        "max_length": ("as long as one listen may take", "已达到单次监听时长上限"),
        "hours": ("the hours in which this is allowed are over", "已超出允许监听的时段"),
        "signed_out": ("the listener's sign-in ended or was withdrawn", "监听者的登录已失效或被撤销"),
        "not_allowed": ("the listener may no longer hear this", "监听者已无权监听"),
        "not_joined": ("nobody came to hear it", "没有人接入收听"),
        "no_answer": ("the switch's connector does not answer", "交换机连接器没有响应"),
        "refused": ("the switch's connector refused", "交换机连接器拒绝执行"),
        "fork_failed": ("the switch did not send the sound", "交换机未能送出声音"),
        "bad_audio": ("the switch sent sound that cannot be used", "交换机送出的声音无法使用"),
        "lapsed": ("the monitor or its database was away for too long", "监控服务或其数据库离线过久"),
    }
)


class Counted(Struct):
    """What a listener was sent of one fork, as the relay says. `last_*`: its newest report, which begins anew with a connection.

    `due`: the listener left this fork, and then what was heard of it is written down, whether or not more is reported.
    """

    call_id: str
    agent_id: str
    bytes: int = 0
    seconds: float = 0.0
    discarded: int = 0
    last_bytes: int = 0
    last_seconds: float = 0.0
    last_discarded: int = 0
    due: datetime | None = None


class Listen(Struct, kw_only=True):
    """One person's listen. `open`: not ended, or what was heard is not written down yet."""

    listen_id: str
    version: int = 0
    site: str
    user: str
    user_name: str
    token_issued: datetime | None = None  # of who asked: when it ends or is withdrawn, so does the listen
    token_expires: datetime | None = None
    token_facts: dict[str, list[str]] | None = (
        None  # what an identity provider said of them; None: they are in the users file
    )
    follow: Follow
    call_id: str  # heard now; followed
    agent_id: str
    agent_name: str = ""
    purpose: Purpose
    comment: str = ""
    mode: Mode = "listen"
    state: ListenState = "starting"
    reason: str = ""
    detail: str = ""  # what the connector said, or which rule of the policy
    fork_id: str = ""
    speak_fork_id: str = ""
    muted: str = ""
    tell_agent: TellAgent = "never"
    told_at: datetime | None = None  # since when the agent can see it
    started_at: datetime
    until: datetime
    leased_until: datetime  # what the relay was told: sound that nobody could write down ends by itself
    live_at: datetime | None = None  # when it was heard first
    ended_at: datetime | None = None
    connected: bool = False
    ever_connected: bool = False
    relay: str = ""
    run: str = ""
    alone_since: datetime | None = None
    failures: int = 0
    retry_at: datetime | None = None
    counted: dict[str, Counted] = field(default_factory=dict)
    open: bool = True
    seen_at: datetime | None = (
        None  # the switch's time on the board by which it was last changed: an older board is behind
    )


class Fork(Struct, kw_only=True):
    """One copy of a call's sound. `target`: what no two open forks of a site share; `owner`: the listen that speaks by it."""

    fork_id: str
    site: str
    target: str
    call_id: str
    leg_id: str
    agent_id: str
    side: Side
    audio: Literal["split", "mixed"]
    speaks: bool = False
    owner: str = ""
    mode: Mode = "listen"
    state: ForkState = "ordered"
    ordered_at: datetime
    up_at: datetime | None = None
    ended_at: datetime | None = None
    relay: str = ""
    run: str = ""
    how: str = ""
    detail: str = ""
    asked: str = ""  # the newest command to change its mode, until that is answered
    asked_at: datetime | None = None

    @property
    def open_target(self) -> str | None:
        """Unique in the database; of one that ended None."""
        return None if self.state == "ended" else f"{self.site}|{self.target}"


class Entry(Struct, frozen=True, kw_only=True):
    """A fact for the audit. `detail`: what else, as JSON."""

    at: datetime
    site: str
    kind: str
    listen_id: str = ""
    by: str = ""
    by_name: str = ""
    agent_id: str = ""
    agent_name: str = ""
    call_id: str = ""
    purpose: str = ""
    mode: str = ""
    detail: str = "{}"
