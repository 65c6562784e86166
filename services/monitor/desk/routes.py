"""All routes of the desk on one app, and its answer while the database is away."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from services.monitor.desk import actionapi, callapi, numberapi, preferenceapi, transferapi
from services.monitor.desk.desk import Desk
from services.monitor.desk.pacing import TooManyChanges
from shared.apidoc import describe
from shared.errors import StoreError
from shared.problems import problem_response


def install_desk_routes(app: FastAPI, desk: Desk) -> None:
    """Have `app` answer for `desk`."""
    describe(app, *transferapi.STRUCTS, *callapi.STRUCTS, *actionapi.STRUCTS, *numberapi.STRUCTS)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(TooManyChanges, _too_many)
    for api in (transferapi, callapi, preferenceapi, actionapi, numberapi):
        app.include_router(api.router_for(desk))


def _too_many(request: Request, exc: Exception) -> Response:
    """429, with when to come back."""
    assert isinstance(exc, TooManyChanges)
    detail = f"{exc}; nothing was changed, try again in {exc.wait_s} s"
    later = {"retry-after": str(exc.wait_s)}
    return problem_response(429, detail, title="Too many changes", instance=request.url.path, headers=later)


def _unavailable(request: Request, exc: Exception) -> Response:
    """503, with what to do."""
    assert isinstance(exc, StoreError)
    detail = f"{exc.told}; nothing was changed, try again"
    later = {"retry-after": "5"}
    return problem_response(503, detail, title="The database is away", instance=request.url.path, headers=later)
