"""What checks of readiness say besides nothing (ready) and a reason (not ready)."""

from __future__ import annotations


class Remark(str):
    """That part does its work, and this is to be known of it."""
