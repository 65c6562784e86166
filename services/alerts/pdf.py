"""HTML as PDF, by WeasyPrint. It needs Pango, a library of the system, and is asked for only when somebody wants a PDF."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, Final

from shared.errors import FloorwatchError

PACKAGES: Final = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"  # Debian's, which Pango is in
_one_at_a_time = threading.Lock()  # a long report takes a processor for seconds and some hundred MB


class NoPango(FloorwatchError):
    """This machine has no Pango; the message says what to install."""

    def __init__(self, cause: object) -> None:
        super().__init__(
            f"a PDF needs the library Pango, which this machine lacks; on Debian and Ubuntu: apt-get install {PACKAGES} "
            f"fonts-noto-cjk; the HTML prints the same from a browser ({str(cause).splitlines()[0]})"
        )


async def render(page: str) -> bytes:
    """`page` as A4 pages, in a thread. Raises NoPango."""
    return await asyncio.to_thread(render_now, page)


def render_now(page: str) -> bytes:
    """The same, here and now. Pictures are `data:`; nothing else is read, neither a file nor an address. Raises NoPango."""
    try:
        import weasyprint
    except OSError as exc:
        raise NoPango(exc) from exc
    # it logs each property of the screen's style that paper does not know, and strips of a table that need no description, whole
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    inside = weasyprint.URLFetcher(allowed_protocols=("data",), allow_redirects=False)
    with _one_at_a_time:
        made: Any = weasyprint.HTML(string=page, url_fetcher=inside).write_pdf(pdf_tags=True)
    return bytes(made)
