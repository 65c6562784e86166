"""All routes of listening on one app."""

from __future__ import annotations

from fastapi import FastAPI

from services.monitor.listen import api, auditapi
from services.monitor.listen.part import Listening
from shared.apidoc import describe


def install_listen_routes(app: FastAPI, listening: Listening) -> None:
    """Have `app` answer for `listening`. The desk's routes answer for a database that is away."""
    describe(app, *api.STRUCTS, *auditapi.STRUCTS)
    api.install_answers(app)
    app.include_router(api.router_for(listening))
    app.include_router(auditapi.router_for(listening))
