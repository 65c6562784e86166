"""Texts of one's own: a Jinja2 file of a receiver, for what is told of one incident. It runs in a sandbox.

Blocks `title` (one line) and `body`; a file without blocks is the body. It knows `it` (the incident), `site`, `about`, `started`,
`reason`, `link`, `receiver`, `instead_of`, `again`, and `next`, who is told if nobody acknowledges: none, or
`who`, `at` and `reason`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.alerts.alertfile.receivers import OwnTemplate
from services.alerts.reach.nexttold import NextTold
from services.alerts.reach.outgoing import Told
from shared.errors import SettingsError

_THEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE: Final = Told(
    number=42,
    telling=1,
    reason="opened",
    site="site",
    rule="slow_transfer",
    subject="transfer",
    subject_id="t1",
    severity="critical",
    state="open",
    condition="active",
    simulated=False,
    replay=False,
    summary_en="Chen Jing's transfer has taken more than 7 s",
    summary_zh="陈静 转接已超过 7 秒",
    labels={"agent": "1001", "agent_name": "Chen Jing", "queue": "sales", "team": "east"},
    started=_THEN,
    opened_at=_THEN,
    resolved_at=None,
    owner="",
    flags=1,
)
_VALUES: Final[dict[str, Any]] = {
    "it": EXAMPLE,
    "site": "Head office",
    "about": "Chen Jing (t1)",
    "started": "2026-01-01 08:00:00 +08:00",
    "reason": "opened",
    "link": "http://127.0.0.1:8602/#incident=42",
    "receiver": "operations",
    "instead_of": "",
    "again": False,
    "next": NextTold("escalated", "08:15", "head"),
}


def compiled(own: OwnTemplate) -> jinja2.Template:
    """Checked with an example. Raises SettingsError that names the alert file's line, the template and its line."""
    try:
        template = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined).from_string(own.text)
        for coming in (_VALUES["next"], None):
            render(template, _VALUES | {"next": coming})
    except jinja2.TemplateSyntaxError as exc:
        raise SettingsError(f"{own.where}: {own.name}:{exc.lineno}: {exc.message}") from exc
    except Exception as exc:
        raise SettingsError(f"{own.where}: {own.name}: {exc}") from exc
    return template


def render(template: jinja2.Template, values: dict[str, Any]) -> tuple[str, str]:
    """Title and body, "" where the file has none. Raises whatever the template does."""
    if not template.blocks:
        return "", template.render(values).strip()
    title, body = (_block(template, name, values) for name in ("title", "body"))
    return " ".join(title.split()), body.strip()


def _block(template: jinja2.Template, name: str, values: dict[str, Any]) -> str:
    block = template.blocks.get(name)
    return "" if block is None else "".join(block(template.new_context(values)))
