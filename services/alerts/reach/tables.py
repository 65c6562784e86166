"""Rows of what is sent: messages, the attempts to send them, the files with them, and how each channel of a receiver fares.

A message is to one channel of one receiver. What is told of incidents is a row of `notices` for each channel; a message carries
one of them, or in a storm many.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlmodel import Field

from services.alerts.tables import Base, waiting_index
from shared.tables import text_column, time_column


class MessageRow(Base, table=True):
    """`state`: waiting, sent, failed (attempts used up) or withheld. `began_at`: of an attempt without a recorded answer so far.

    `doubtful`: an attempt has no answer and never will, because its process ended, or its connection: the next one may be a
    second copy.
    """

    __tablename__ = "messages"
    __table_args__ = (waiting_index("messages"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = text_column()  # single, bundle, report, test
    receiver: str = text_column(index=True)
    channel_key: str = text_column()  # hash of the channel's URL: no secret is stored
    channel: str = text_column()  # for people, without secrets
    instead_of: str = text_column(default="")  # the receiver that could not be reached
    severity: str = text_column()
    notices: int = 0
    state: str = text_column()
    created_at: datetime = time_column()
    due_at: datetime | None = time_column(default=None, index=True)  # next attempt; none when nothing more will happen
    began_at: datetime | None = time_column(default=None)
    finished_at: datetime | None = time_column(default=None)
    doubtful: bool = False
    key: str = text_column(default="")  # by which a receiver knows a second copy
    title: str = text_column(default="")
    body: str = text_column(default="")
    html: str = text_column(default="")
    answer: str = text_column(default="")


class MessageAttemptRow(Base, table=True):
    """One attempt to send a message, with the answer."""

    __tablename__ = "message_attempts"

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="messages.id", index=True)
    at: datetime = time_column()
    took_s: float
    ok: bool
    answer: str = text_column(default="")


class MessageFileRow(Base, table=True):
    """A file with a message; kept until the message has its end."""

    __tablename__ = "message_files"

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="messages.id", index=True)
    name: str = text_column()
    media_type: str = text_column()
    content: bytes = Field(sa_type=LargeBinary)


class ChannelRow(Base, table=True):
    """How a channel of a receiver fares: when its limit's bucket is full again, since when it fails, since when it is dead."""

    __tablename__ = "receiver_channels"

    receiver: str = text_column(primary_key=True)
    channel_key: str = text_column(primary_key=True)
    full_at: datetime | None = time_column(default=None)
    failing_since: datetime | None = time_column(default=None)
    dead_since: datetime | None = time_column(default=None)
    sent_at: datetime | None = time_column(default=None)
    answer: str = text_column(default="")
