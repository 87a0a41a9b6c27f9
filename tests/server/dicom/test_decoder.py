"""Workers that hang, die or eat memory: the question is answered with why, and the next one as if nothing had been."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from annotation.dicom.errors import DicomError
from server.dicom.decoder import Decoder
from tests.helpers.dicom_files import made, sample, written

KEY = "00" * 16


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    made = Decoder(1, seconds=20.0, memory_mb=1024)
    yield made
    await made.close()


async def still_works(decoder: Decoder) -> None:
    _, body = await decoder.ask("frame", sample("MR_small_RLE.dcm"), frame=1)
    assert len(body) == 64 * 64 * 2


async def test_a_file_that_hangs_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")
    decoder = Decoder(1, seconds=1.5)
    with pytest.raises(DicomError, match="took longer"):
        await decoder.ask("ingest", tmp_path / "endless", key=KEY, time="")
    await decoder.close()


async def test_a_worker_that_dies_is_replaced(decoder: Decoder, tmp_path: Path) -> None:
    await still_works(decoder)
    os.mkfifo(tmp_path / "endless")
    asked = asyncio.create_task(decoder.ask("ingest", tmp_path / "endless", key=KEY, time=""))
    await asyncio.sleep(0)
    os.kill(decoder.workers[0], signal.SIGSEGV)
    with pytest.raises(DicomError, match="was replaced"):
        await asked
    await still_works(decoder)


async def test_who_does_not_wait_for_the_answer_spoils_none(decoder: Decoder, tmp_path: Path) -> None:
    await still_works(decoder)
    os.mkfifo(tmp_path / "endless")
    asked = asyncio.create_task(decoder.ask("ingest", tmp_path / "endless", key=KEY, time=""))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await still_works(decoder)


async def test_memory_is_bounded(decoder: Decoder, tmp_path: Path) -> None:
    # 400 MB of zeros in the file, three times as much when they are looked at
    pixels = bytes(15_000 * 15_000 * 2)
    (tmp_path / "large").write_bytes(
        written(made(Rows=15_000, Columns=15_000, PixelData=pixels, PhotometricInterpretation="MONOCHROME2"))
    )
    with pytest.raises(DicomError) as error:
        await decoder.ask("rendered", tmp_path / "large", frame=1, window=None, format="png", viewport=None)
    assert error.value.code in ("too_large", "broken")
    await still_works(decoder)


async def test_a_question_that_nobody_understands_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(DicomError, match="Nobody knows"):
        await decoder.ask("dance", tmp_path)
    with pytest.raises(DicomError, match="cannot be read"):
        await decoder.ask("ingest", tmp_path / "nothing", key=KEY, time="")
    await still_works(decoder)
