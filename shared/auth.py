"""Who asks: tokens, the browsers' cookie and single-use tickets, as FastAPI dependencies."""

from __future__ import annotations

from shared.identity import LOCAL, WHOLE, Permission, Principal, Role, Scope

__all__ = ["LOCAL", "WHOLE", "Permission", "Principal", "Role", "Scope"]
