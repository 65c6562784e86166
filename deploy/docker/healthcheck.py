"""Whether the service of this container answers `/healthz`; exit code 0 or 1. Without any package, so that it starts at once."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request

PORTS = {"ingest": 8601, "monitor": 8600, "alerts": 8602, "relay": 8603, "asterisk": 8605}


def address() -> str:
    """Of the service that process 1 runs: `floorwatch monitor` and so on."""
    with open("/proc/1/cmdline", "rb") as file:
        words = file.read().decode().split("\0")
    name = next((word for word in words if word in PORTS), "monitor")
    port = os.environ.get(f"{name.upper()}_PORT", PORTS[name])
    scheme = "https" if os.environ.get("FLOORWATCH_TLS_CERT_FILE") else "http"
    return f"{scheme}://127.0.0.1:{port}/healthz"


def main() -> int:
    """The certificate is not checked: it is of the name by which others come, and this asks itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    direct = urllib.request.ProxyHandler({})  # Docker gives containers the proxy of its host, which is for others
    opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(address(), timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
