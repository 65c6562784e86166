"""The inspectors' page: a scripted floor on the feed, and who listens to what as a test says it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request, WebSocket
from fastapi.responses import JSONResponse, Response

from services.monitor.core.views import CallView, FloorView, LegView
from shared.http import create_app, mount_web
from shared.identity import Principal
from tests.browser.feedserver import PAGE, FeedServer, serving
from tests.browser.floors import agent, ago, call, changed, flag, queue, site, transfer
from tests.browser.soundrelay import LISTEN, SoundRelay
from tests.deskkit import Someone

PURPOSES = ("live_qa", "new_agent", "coaching", "complaint", "spot_check")


def leg(agent_id: str, state: str = "talking", seconds: float = 60, role: str = "agent", name: str = "") -> LegView:
    return LegView(leg_id=name or f"leg-{agent_id}", agent_id=agent_id, role=role, state=state, since=ago(seconds))  # type: ignore[arg-type]


def live_call(call_id: str, *legs: LegView, **values: Any) -> CallView:
    plain = CallView(
        site="hq",
        call_id=call_id,
        direction="inbound",
        state="answered",
        since=ago(60),
        started=ago(75),
        queue="sales",
        queued_since=None,
        from_number="+45••••4821",
        legs=legs,
        transfer_id="",
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def on_call(call_id: str, seconds: float = 60, **values: Any) -> Any:
    return call(call_id=call_id, since=ago(seconds), **values)


def busy_floor() -> FloorView:
    """Six conversations: a new agent alone, one on hold with a flag, a slow transfer, one that somebody hears, two plain ones."""
    away = on_call("c3", 40, direction="outbound", peer="+86••••••9021")
    held = {
        "summary_en": "Bo Lind has had the customer on hold for more than 60 s",
        "summary_zh": "Bo Lind 让客户保持等待已超过 60 秒",
    }
    agents = (
        agent("1001", "Ana Silva", "talk", call=on_call("c1", 95), team="Blue"),
        agent("1002", "Bo Lind", "hold", call=on_call("c2", 240), team="Blue"),
        agent("1003", "Cao Wei", "talk", call=away, team="Red", tags=("new_agent",)),
        agent("1004", "Di Ng", "consult", call=on_call("c4", 180), team="Red"),
        agent("1005", "Eva Ruiz", "ringing", team="Red"),
        agent("1006", "Fei Long", "talk", call=on_call("c6", 610), team="Blue", listened=True),
        agent("1007", "Gu Ling", "ready", team="Red", tags=("new_agent",)),
        agent("1008", "Han Bo", "talk", call=on_call("c8", 20, direction="outbound"), team="Blue"),
    )  # fmt: skip
    calls = (
        live_call("c1", leg("1001", seconds=95)),
        live_call("c2", leg("1002", "held", 70), state="held", queue="support"),
        live_call("c3", leg("1003", seconds=40), direction="outbound", from_number="2001"),
        live_call("c4", leg("1004", "held", 9), leg("1005", "ringing", 6, "consult"), state="transferring", transfer_id="t1"),
        live_call("c6", leg("1006", seconds=610)),
        live_call("c8", leg("1008", seconds=20), direction="outbound", queue="", from_number="2002"),
        live_call("c9", state="queued"),
    )  # fmt: skip
    return FloorView(
        sites=(site(simulated=True),),
        queues=(queue("sales", "Sales"), queue("support", "Support")),
        agents=agents,
        calls=calls,
        transfers=(transfer("t1", call_id="c4", from_agent="1004", to_agent="1005", requested=ago(9), ringing=ago(6)),),
        flags=(flag("f1", subject_id="1002", labels={"agent": "1002"}, **held),),
    )  # fmt: skip


class ListenServer(FeedServer):
    """Answers the listening API as the monitor does, from what the test put in: `listens`, `claims`, `refuse_listen`."""

    def __init__(self, floor: FloorView) -> None:
        super().__init__(floor)
        self.listens: list[dict[str, Any]] = []
        self.claims: list[dict[str, Any]] = []
        self.asked_for: list[tuple[str, str, Any]] = []  # method, path and body of what changes something
        self.refuse_listen: tuple[int, str] | None = None
        self.away = False  # the database, for all of it
        self.one_each = False  # who hears something hears it once
        self._someone = Someone()
        self.policy: dict[str, Any] = {"allowed": True, "open_now": True, "modes": ["listen", "whisper", "barge"]}
        self.notes: list[dict[str, Any]] = []
        self.coverage: list[dict[str, Any]] = []
        self.relay = SoundRelay()

    def listen(self, listen_id: str, **values: Any) -> dict[str, Any]:
        sound = self.url.replace("http", "ws")
        plain = {
            "listen_id": listen_id, "site": "hq", "user": "local", "user_name": "local", "follow": "call", "call_id": "c1",
            "agent_id": "1001", "agent_name": "Ana Silva", "mode": "listen", "purpose": "live_qa", "state": "starting",
            "reason": "", "comment": "", "started_at": self.now().isoformat(), "ended_at": None, "muted": "",
            "audio": {"url": f"{sound}/api/v1/listens/{listen_id}/audio", "pass": "p", "expires_in_s": 60},
        }  # fmt: skip
        return plain | values

    @property
    def who(self) -> Principal:
        """Who asks."""
        return self._someone.who

    @who.setter
    def who(self, principal: Principal) -> None:
        self._someone.who = principal

    def app(self) -> Any:
        app = create_app("monitor", auth=self._someone)
        app.add_api_websocket_route("/api/v1/feed", self._feed)
        self._answer_pages(app)
        mount_web(app, PAGE)
        return app

    def _answer_pages(self, app: Any) -> None:
        app.add_api_websocket_route("/api/v1/listens/{listen_id}/audio", self._audio)
        app.add_api_route("/api/v1/{path:path}", self._listening, methods=["GET", "POST", "PATCH", "DELETE"])
        super()._answer_pages(app)
        routes = app.router.routes
        routes.append(
            routes.pop(next(n for n, one in enumerate(routes) if getattr(one, "path", "") == "/api/v1/{path:path}"))
        )

    async def _listening(self, path: str, request: Request) -> Response:
        if self.away:
            return problem(503, "The database is away")
        method = request.method
        body = await request.json() if method in ("POST", "PATCH") and await request.body() else None
        if method != "GET":
            self.asked_for.append((method, path, body))
        head, *rest = path.split("/")
        if head == "listen-policy":
            purposes = [{"code": name, "label_en": name.replace("_", " "), "label_zh": name} for name in PURPOSES]
            return JSONResponse({"purposes": purposes, "max_s": 3600, "mute_on_hold": True} | self.policy)
        if head == "notes":
            found = [note for note in self.notes if note["call_id"] == request.query_params["call_id"]]
            return JSONResponse({"notes": found})
        if head == "coverage":
            return JSONResponse({"day": "2026-11-22", "agents": self.coverage})
        if head == "claims":
            return self._claims(method, body, request)
        if head == "listens":
            return await self._listens(method, rest, body)
        return problem(404, "Not found")

    def _claims(self, method: str, body: Any, request: Request) -> Response:
        if method == "GET":
            return JSONResponse({"claims": self.claims})
        given = body or dict(request.query_params)
        if method == "DELETE":
            self.claims = [one for one in self.claims if one["call_id"] != given["call_id"]]
            return Response(status_code=204)
        claim = given | {"user": "local", "user_name": "local", "at": self.now().isoformat()}
        self.claims.append(claim)
        return JSONResponse(claim, 201)

    async def _listens(self, method: str, rest: list[str], body: Any) -> Response:
        if method == "POST" and not rest:
            if self.refuse_listen:
                return problem(*self.refuse_listen)
            if self.one_each and self.listens:
                return JSONResponse({"title": "Conflict", "listen_id": self.listens[0]["listen_id"]}, 409)
            legs = {one.call_id: one.legs for one in self.floor.calls}.get(body.get("call_id", ""), ())
            agent_id = body.get("agent_id") or next((leg.agent_id for leg in legs), "")
            follow = "call" if "call_id" in body else "agent"
            card = next((one for one in self.floor.agents if one.agent_id == agent_id and one.call), None)
            call_id = body.get("call_id") or (card.call.call_id if card and card.call else "")
            of = {"follow": follow, "agent_id": agent_id, "call_id": call_id}
            made = self.listen(f"l{len(self.listens) + 1}", **body | of)
            self.listens.append(made)
            return JSONResponse(made, 201)
        if method == "GET" and not rest:
            return JSONResponse({"listens": [one for one in self.listens if one["state"] != "ended"], "next": None})
        found = next((one for one in self.listens if rest and one["listen_id"] == rest[0]), None)
        if found is None:
            return problem(404, "There is no such listen")
        if rest[1:] == ["notes"]:
            return self._note(found, body)
        if method == "DELETE":
            found |= {"state": "ended"}
        elif method == "PATCH":
            found |= body
            await self.relay.tell(mode=found["mode"], speaking=found["mode"] != "listen")
        return JSONResponse(found["audio"] if rest[1:] == ["pass"] else found)

    def _note(self, listen: dict[str, Any], body: Any) -> Response:
        of = {name: listen[name] for name in ("listen_id", "site", "call_id", "agent_id")}
        note = (
            of
            | body
            | {"id": len(self.notes) + 1, "by": "local", "by_name": "local", "said_at": self.now().isoformat()}
        )
        self.notes.append(note)
        return JSONResponse(note, 201)

    async def _audio(self, socket: WebSocket, listen_id: str, ticket: str) -> None:
        found = next(one for one in self.listens if one["listen_id"] == listen_id)
        self.relay.state |= {
            "call_id": found["call_id"],
            "agent_id": found["agent_id"],
            "mode": found["mode"],
            "fork_id": listen_id,
        }
        with contextlib.suppress(RuntimeError):  # the page went while something was being sent
            await self.relay.serve(socket, LISTEN, ticket)


def problem(status: int, title: str) -> Response:
    return JSONResponse({"status": status, "title": title, "detail": ""}, status)


@contextlib.asynccontextmanager
async def serving_listens(floor: FloorView | None = None) -> AsyncIterator[ListenServer]:
    """The page at `url`/listen."""
    server = ListenServer(floor or busy_floor())
    async with serving(server.floor, server):
        yield server
