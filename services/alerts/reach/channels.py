"""Where messages go: the channels of every receiver that the alert file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

import jinja2

from services.alerts.alertfile.receivers import Receiver
from services.alerts.core.sending import Limit
from services.alerts.reach.alertmanager import AlertmanagerChannel
from services.alerts.reach.apprisechannel import AppriseChannel
from services.alerts.reach.chatrobots import Robot
from services.alerts.reach.outbox import ChannelName
from services.alerts.reach.outgoing import Answer, Outgoing
from services.alerts.reach.owntemplate import compiled
from services.alerts.reach.queue import Lane
from services.alerts.reach.webhook import WebhookChannel
from shared.errors import SettingsError


class Channel(Protocol):
    """One way to one receiver. An attempt never raises, and its answer holds no secret. `robot`: of the chat that it goes to."""

    name: ChannelName

    @property
    def robot(self) -> Robot | None: ...

    async def send(self, one: Outgoing) -> Answer: ...


class Channels:
    """The configured channels: `of` a receiver by its name; `then`: who is told instead of whom; `labels` of all of them."""

    def __init__(self, receivers: Iterable[Receiver], public_url: str = "") -> None:
        """`public_url`: how people reach the page. Raises SettingsError that names the place, not its content, which is a
        secret; also for a template that cannot be used.
        """
        self._public_url = public_url
        self.receivers = {one.name: one for one in receivers}
        self.then = {one.name: one.then for one in self.receivers.values() if one.then}
        self.templates: dict[str, jinja2.Template] = {
            one.name: compiled(one.template) for one in self.receivers.values() if one.template
        }
        self.of: dict[str, tuple[ChannelName, ...]] = {}
        self._channels: dict[Lane, Channel] = {}
        names, seen = dict[str, ChannelName](), Counter[str]()
        for receiver in self.receivers.values():
            for where, channel in self._made(receiver):
                lane = Lane(receiver.name, channel.name.key)
                if lane in self._channels:
                    raise SettingsError(f"{where} is there twice")
                if lane.key not in names:
                    names[lane.key] = _apart(channel.name, seen)
                channel.name = names[lane.key]
                self._channels[lane] = channel
            self.of[receiver.name] = tuple(
                one.name for lane, one in self._channels.items() if lane.receiver == receiver.name
            )
        self.labels = [name.label for name in names.values()]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(self._channels)

    @property
    def alertmanagers(self) -> dict[Lane, AlertmanagerChannel]:
        return {lane: one for lane, one in self._channels.items() if isinstance(one, AlertmanagerChannel)}

    def for_reports(self, receiver: str) -> tuple[ChannelName, ...]:
        """The channels of a receiver that can carry a report."""
        found = ((lane, one) for lane, one in self._channels.items() if lane.receiver == receiver)
        return tuple(one.name for _, one in found if not isinstance(one, AlertmanagerChannel))

    def channel(self, lane: Lane) -> Channel | None:
        """None when there is no such channel any more."""
        return self._channels.get(lane)

    def robot(self, lane: Lane) -> Robot | None:
        """What reads the messages of a lane: None: no chat."""
        found = self._channels.get(lane)
        return found.robot if found else None

    def limit(self, receiver: str) -> Limit:
        found = self.receivers.get(receiver)
        return found.limit if found else Limit()

    def _made(self, receiver: Receiver) -> Iterator[tuple[str, Channel]]:
        for url, where in receiver.urls:
            yield where, AppriseChannel(url, where)
        if receiver.webhook is not None:
            yield receiver.webhook.where, WebhookChannel(receiver.webhook, self._public_url)
        if receiver.alertmanager is not None:
            yield receiver.alertmanager.where, AlertmanagerChannel(receiver.alertmanager, self._public_url)


def _apart(name: ChannelName, seen: Counter[str]) -> ChannelName:
    """With a number where another channel is called the same."""
    seen[name.label] += 1
    return name if seen[name.label] == 1 else ChannelName(name.key, f"{name.label} ({seen[name.label]})")
