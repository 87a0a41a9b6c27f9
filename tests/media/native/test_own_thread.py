"""What only the native plane can do: its thread goes on while Python is busy, slow or absent."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import sysconfig
import threading
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from media.ids import ConsumerId, ProducerId, TransportId
from media.native import NativePlane
from media.plane import Address, Drop, EventKind

from .peers import DELTA_FRAME, KEY_FRAME, PATIENCE, Peer, Room, room, rtp, wait_until

ROOT = Path(__file__).parents[3]


def test_no_packet_is_lost_while_a_python_thread_burns_the_gil() -> None:
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(1000))

    burners = [threading.Thread(target=burn) for _ in range(2)]
    with room(3) as here:
        here.add_producer()
        here.add_consumers()
        packets = [here.publisher.protect(rtp(0, KEY_FRAME))]
        packets += [here.publisher.protect(rtp(n, DELTA_FRAME + bytes(1000))) for n in range(1, 700)]
        for burner in burners:
            burner.start()
        try:
            for packet in packets:
                here.publisher.send_raw(packet)
            for peer in here.subscribers:
                numbers = [int.from_bytes(packet[2:4], "big") for packet in peer.receive(700)]
                assert numbers == list(range(1, 701))
        finally:
            stop.set()
            for burner in burners:
                burner.join()
        assert sum(here.plane.statistics().drops) == 0


def has_taken(here: Room, datagrams: int) -> bool:
    return here.plane.statistics().datagrams_in == datagrams


def test_packets_pass_while_python_collects_no_events() -> None:
    with room() as here:
        here.add_producer()
        here.add_consumers()
        stun = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(1400)
        sent = 0
        for _ in range(70):
            for _ in range(50):
                here.publisher.send_raw(stun)
            sent += 50
            wait_until(partial(has_taken, here, sent))
        here.publisher.send(*(rtp(n, KEY_FRAME) for n in range(5)))
        assert len(here.subscribers[0].receive(5)) == 5
        assert here.drops(Drop.EVENT_QUEUE_FULL) > 0


def test_the_tap_drops_what_the_recorder_does_not_collect_and_says_so() -> None:
    with room(0, tap_bytes=1 << 14) as here:
        here.add_producer()
        here.plane.set_tap(ProducerId(1), enabled=True)
        here.publisher.send(*(rtp(n, KEY_FRAME + bytes(1000)) for n in range(40)))
        here.wait_for_packets(40)
        here.settle()
        records = here.plane.read_tap()
        statistics = here.plane.statistics()
        kept = 40 - statistics.drops[Drop.TAP_FULL]
        assert 10 <= kept < 40
        assert len(records) == kept * (24 + 12 + len(KEY_FRAME) + 1000)
        assert statistics.tap_backlog_bytes == 0


def test_each_of_hundreds_of_addresses_finds_its_own_transport() -> None:
    rng = random.Random(7)
    with room(0) as here:
        peers = [Peer(here.plane, 10 + n) for n in range(110)]
        gone = set(rng.sample(range(110), 60))
        for number in gone:
            here.plane.remove_transport(peers[number].transport)
        here.wait_until(lambda: sum(event.kind is EventKind.REMOVED for event in here.collected) == len(gone))
        here.collected.clear()
        for peer in peers:
            peer.send_raw(b"\0\1\0\0" + bytes(16))
        here.wait_until(lambda: sum(event.kind is EventKind.STUN for event in here.collected) == 110)
        by_address = {event.address: event.transport for event in here.collected}
        for number, peer in enumerate(peers):
            expected = TransportId(0) if number in gone else peer.transport
            assert by_address[peer.address] == expected
            peer.socket.close()


def test_a_burst_keeps_its_order() -> None:
    with room(4) as here:
        here.add_producer()
        here.add_consumers()
        here.publisher.send(rtp(0, KEY_FRAME))
        packets = [here.publisher.protect(rtp(n, DELTA_FRAME + bytes(1100))) for n in range(1, 60)]
        for packet in packets:
            here.publisher.send_raw(packet)
        for peer in here.subscribers:
            numbers = [int.from_bytes(packet[2:4], "big") for packet in peer.receive(60)]
            assert all(later == earlier + 1 for earlier, later in pairwise(numbers))


def test_closing_in_the_middle_of_everything_leaves_nothing() -> None:
    for _ in range(20):
        with room(2) as here:
            here.add_producer()
            here.add_consumers()
            here.publisher.send(*(rtp(n, KEY_FRAME + bytes(1000)) for n in range(50)))
            here.plane.set_paused(ConsumerId(102), paused=True)
            here.plane.remove_transport(here.publisher.transport)


def test_a_closed_plane_still_tells_its_statistics_and_refuses_the_rest() -> None:
    plane = NativePlane()
    plane.add_transport(TransportId(1))
    plane.remove_transport(TransportId(1))
    # the thread says so: it has run, and used some time
    assert select.select([plane], [], [], 10)[0]
    used = plane.statistics().cpu_ns
    assert used > 0
    plane.close()
    plane.close()
    assert plane.statistics().packets_in == 0
    assert plane.statistics().cpu_ns >= used
    with pytest.raises(ValueError, match="closed"):
        plane.add_transport(TransportId(2))


def test_a_port_in_use_is_an_os_error_and_a_name_is_a_value_error() -> None:
    plane = NativePlane()
    with pytest.raises(OSError, match="bind"):
        NativePlane(plane.address)
    with pytest.raises(ValueError, match="not an address in numbers"):
        NativePlane(Address("localhost", 0))
    plane.close()


_SCENARIO = """
import importlib.util, sys, media
spec = importlib.util.spec_from_file_location("media.native._native", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["media.native._native"] = module
from tests.media.native.test_own_thread import test_closing_in_the_middle_of_everything_leaves_nothing as scenario
scenario()
print("all freed")
"""


@pytest.mark.slow
def test_the_debug_build_asserts_at_close_that_everything_was_freed(tmp_path: Path) -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    subprocess.run(
        [
            sys.executable,
            "setup.py",
            "-q",
            "build_ext",
            "--build-lib",
            str(tmp_path),
            "--build-temp",
            str(tmp_path),
        ],
        cwd=ROOT,
        env={**os.environ, "KONSIL_DEBUG": "1"},
        check=True,
        capture_output=True,
        timeout=20 * PATIENCE,
    )
    built = tmp_path / "media" / "native" / f"_native{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", _SCENARIO, str(built)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=PATIENCE * 6,
    )
    assert done.stdout == b"all freed\n"
