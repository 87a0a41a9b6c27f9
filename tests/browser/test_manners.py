"""Manners in Chromium: a guest waits, is let in, asks for the floor, is silenced, and is shown out with a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from server.config import RoomsConfig
from tests.browser.chromium import PATIENCE, browser, join, person, picture, probe, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REASON = "This is not your patient."


def watching_for(page: Page, words: str) -> asyncio.Task[None]:
    """Look out for words that are shown for a few seconds only, from before they can come."""
    return asyncio.create_task(page.get_by_text(words).wait_for())


async def test_from_the_door_to_the_door(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=RoomsConfig(waiting_room=True)) as server,
        browser() as chromium,
    ):
        chair = await person(chromium, server.link("chair", "Prof. Keller"))
        guest = await person(chromium, server.link("expert", "Dr. Li Wei"))

        # at an empty room's door
        await guest.get_by_test_id("join").click()
        assert (await until(guest, "k.state === 'waiting' && k.place"))["attended"] is False
        await join(chair, media=True)
        await until(guest, "k.place?.attended === true && k.place.place === 1")
        await picture(guest, "waiting-desktop")

        # the chair sees it in the bar above, and lets in
        await chair.get_by_test_id("door-notice-admit").wait_for()
        await picture(chair, "knock-desktop")
        await chair.get_by_test_id("door-notice-admit").click()
        await until(guest, "k.state === 'connected' && k.place === null")
        await chair.get_by_test_id("door-notice-open").wait_for(state="detached")
        name = await probe(guest, "k.self")
        of_guest = f"p.participant === '{name}'"
        await until(chair, f"k.producers.some(p => {of_guest} && p.source === 'microphone')")

        # a hand, up by the guest and down by the chair
        await guest.keyboard.press("h")
        await until(chair, f"k.participants.some(p => {of_guest} && p.hand > 0)")
        await chair.keyboard.press("u")
        await picture(chair, "panel-desktop")
        told = watching_for(guest, "Your hand has been lowered")
        await chair.get_by_test_id(f"hand-down-{name}").click()
        await until(guest, f"k.participants.some(p => {of_guest} && p.hand === 0)")
        await told

        # the microphone, forbidden and allowed again
        await chair.get_by_test_id(f"menu-{name}").click()
        told = watching_for(guest, "You may not send this any more: Microphone")
        await chair.get_by_test_id("permit-microphone").click()
        await until(chair, f"!k.producers.some(p => {of_guest} && p.source === 'microphone')")
        button = guest.get_by_test_id("microphone")
        await expect(button).to_be_disabled(timeout=PATIENCE)
        assert "microphone" not in {
            layer["source"] for layer in await guest.evaluate("window.konsil.layers()")
        }
        await told
        await chair.get_by_test_id("permit-microphone").click()
        await until(guest, f"k.participants.some(p => {of_guest} && p.sources.includes('microphone'))")
        await button.click()
        await until(chair, f"k.producers.some(p => {of_guest} && p.source === 'microphone')")

        # the chair's own face, not for the guest
        face = await until(guest, f"k.producers.find(p => !({of_guest}) && p.source === 'camera')?.producer")
        await until(guest, f"k.frames[{face}].frames > 0")
        await chair.get_by_test_id("menu-back").click()
        await chair.get_by_test_id(f"menu-{await probe(chair, 'k.self')}").click()
        await chair.get_by_test_id(f"audience-{face}").click()
        await chair.get_by_test_id("audience-choice-leaders").check()
        await chair.get_by_test_id("confirm").click()
        await guest.get_by_test_id(f"withheld-{face}").wait_for()

        # somebody else knocks: the notice leads from a person's page to the door
        trainee = await person(chromium, server.link("trainee", "Maria Santos"))
        await trainee.get_by_test_id("join").click()
        await chair.get_by_test_id("door-notice-open").click()
        refuse = chair.locator('[data-testid^="refuse-"]')
        await refuse.click()
        await chair.get_by_test_id("confirm").click()
        await trainee.get_by_text("You were not let in.").wait_for()
        assert await trainee.get_by_test_id("message-reason").count() == 0

        # locked for all to see, and out
        await chair.get_by_test_id("lock").click()
        await guest.get_by_test_id("locked").wait_for()
        await chair.get_by_test_id(f"menu-{name}").click()
        await chair.get_by_test_id(f"remove-{name}").click()
        await chair.get_by_test_id("reason").fill(REASON)
        await picture(chair, "remove-desktop")
        await chair.get_by_test_id("confirm").click()
        await until(chair, f"!k.participants.some(p => {of_guest})")
        assert await guest.get_by_test_id("message-reason").text_content() == REASON
        assert await guest.get_by_test_id("message-closed").get_attribute("data-code") == "removed"
        assert await guest.get_by_test_id("message-action").count() == 0
        await picture(guest, "removed-desktop")
