"""The plane's tap has one reader: this pump. It shares what it reads out among recordings and watched fields."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from media.ids import ProducerId
from media.plane import Drop, Plane
from recorder.tap import share_out

#: Seconds between two looks at the tap: 16 MB of it last for 6 s of a 20 Mbit/s field.
INTERVAL = 0.1


class Customer(Protocol):
    """Who takes packets of the tap. What it takes it has claimed by `Router.set_tap`."""

    @property
    def producers(self) -> Collection[ProducerId]:
        """Whose packets it takes."""

    @property
    def tap_interval(self) -> float:
        """How many seconds its packets may lie in the tap."""

    def receive_tap(self, data: bytes, now: float) -> None:
        """Take tap records of its producers, in order."""

    def receive_gap(self, packets: int, now: float) -> None:
        """Learn that the tap was full, and so many packets of anybody's are missing."""

    def pump(self, now: float) -> None:
        """Do what is due, once each look."""


class Tap:
    """Reads the tap for all its customers. `now` gives Unix seconds."""

    def __init__(self, plane: Plane, now: Callable[[], float]) -> None:
        self._plane = plane
        self._now = now
        self._customers: dict[int, Customer] = {}
        self._full = 0
        self._task: asyncio.Task[None] | None = None

    def join(self, customer: Customer) -> None:
        """Share with one more from now on."""
        if not self._customers:
            self._full = self._plane.statistics().drops[Drop.TAP_FULL]
        self._customers[id(customer)] = customer

    def leave(self, customer: Customer) -> None:
        """Share with this one no more."""
        self._customers.pop(id(customer), None)

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._pump())

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            intervals = [customer.tap_interval for customer in self._customers.values()]
            await asyncio.sleep(min(intervals, default=INTERVAL))
            self.share_out()

    def share_out(self) -> None:
        """Give each customer what the tap holds of its producers."""
        now = self._now()
        customers = self._customers
        if customers:
            full = self._plane.statistics().drops[Drop.TAP_FULL]
            if full > self._full:
                for customer in customers.values():
                    customer.receive_gap(full - self._full, now)
            self._full = full
        owners: dict[ProducerId, tuple[int, ...]] = {}
        for number, customer in customers.items():
            for producer in customer.producers:
                owners[producer] = (*owners.get(producer, ()), number)
        while data := self._plane.read_tap():
            for numbers, piece in share_out(data, owners).items():
                for number in numbers:
                    if (taker := customers.get(number)) is not None:
                        taker.receive_tap(piece, now)
        for customer in list(customers.values()):
            customer.pump(now)
