"""Users for tests, and tokens of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.clock import Clock, SystemClock
from shared.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
USERS = """\
users:
  viewer: {roles: [viewer]}
  supervisor: {name: 王芳, roles: [supervisor]}
  blue: {roles: [supervisor], teams: [Blue]}
  sales: {roles: [viewer], queues: [sales]}
  elsewhere: {roles: [operations], sites: [elsewhere]}
  inspector: {roles: [inspector]}
  operations: {roles: [operations]}
  auditor: {roles: [auditor]}
  admin: {roles: [admin]}
  pbx: {roles: [service], sites: [test]}
"""


def users_file(folder: Path, text: str = USERS) -> Path:
    """A users file in `folder`."""
    path = folder / "users.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def settings(folder: Path) -> dict[str, Any]:
    """What a service's settings need for mode `users`."""
    return {"users_file": users_file(folder), "auth_secret": SECRET, "run_dir": folder}


def token(user: str, *, hours: float = 1.0, clock: Clock | None = None, secret: str = SECRET) -> str:
    """A token of `user` that was made now."""
    return Signer(secret).sign(user, (clock or SystemClock()).now(), timedelta(hours=hours))


def bearer(user: str, **how: Any) -> dict[str, str]:
    """The header that says so."""
    return {"authorization": f"Bearer {token(user, **how)}"}
