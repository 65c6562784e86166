"""What is sent to people: a title, a text, and files with it. Every channel makes of it what it can show.

A report that is to be sent again until it arrived is handed to `Outbox.post` inside the unit of work that says that it is due.
"""

from __future__ import annotations

from msgspec import Struct


class Attachment(Struct, frozen=True):
    """A file: its name as people save it, its bytes, its media type such as `application/pdf`."""

    name: str
    content: bytes
    media_type: str


class Message(Struct, frozen=True):
    """`title` is one line; `body` plain text, the only form that every channel shows; `html` what mail shows in its place.

    Channels that carry no files leave `attachments` out: the body must say where else they are.
    """

    title: str
    body: str
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
