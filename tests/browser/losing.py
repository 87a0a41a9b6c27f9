"""A line that loses what a page is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Page, Route


class Losing:
    """A line that loses what `which` names: each address's first request, or, with `gone`, every one."""

    def __init__(self, page: Page, which: Callable[[str], bool], *, gone: bool = False) -> None:
        self.page, self.which, self.gone = page, which, gone
        self.lost: list[str] = []

    async def __aenter__(self) -> Losing:
        await self.page.route("**/assets/**", self._pass)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.page.unroute("**/assets/**", self._pass)

    async def _pass(self, route: Route) -> None:
        name = Path(urlsplit(route.request.url).path).name
        if self.which(name) and (self.gone or name not in self.lost):
            self.lost.append(name)
            await route.abort("internetdisconnected")
        else:
            await route.continue_()
