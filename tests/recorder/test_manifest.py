"""An archive that somebody had his hands in: verify says what, with the public key alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.library import JOURNAL, Library
from recorder.manifest import MANIFEST, SIGNATURE, Manifest, ManifestError, Part
from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.signing import LAST, catch_up, sign_recording
from recorder.verify import check_chain, verify
from tests.helpers.journal_media import camera, encode, record, video

NAMES = [f"20261122-1015{second:02}-demo-3f9a" for second in range(3)]
NOW = 1_795_342_600.0


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sealed recordings, finished one after another."""
    root = tmp_path_factory.mktemp("archive")
    for name in ("hospital", "signing", "other"):
        sm2.generate(root / f"{name}.pem")
        (root / f"{name}.public.pem").write_bytes(sm2.public_of(root / f"{name}.pem"))
    for name in NAMES:
        key = DataKey.random(SM4)
        folder = record(
            root / "recordings" / name, [camera(7)], video(7, Codec.H264, encode(Codec.H264)), sealed_with=key
        )
        keys.write(folder, keys.wrap(name, key, [root / "hospital.public.pem"]))
        prepare(folder, key=key)
        sign_recording(folder, root / "signing.pem", NOW)
    return root


@pytest.fixture
def copy(archive: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(archive, tmp_path / "archive"))


def problems(root: Path, number: int = 1) -> list[str]:
    return verify(root / "recordings" / NAMES[number], root / "signing.public.pem").problems


def chain_of(root: Path) -> list[str]:
    folders = [path for path in (root / "recordings").iterdir() if path.is_dir()]
    return check_chain([verify(folder, root / "signing.public.pem") for folder in sorted(folders)])


def test_an_index_that_was_made_after_the_signature_is_a_remark(copy: Path) -> None:
    folder = copy / "recordings" / NAMES[1]
    shutil.copy(folder / "7.index", folder / "9.index")
    verdict = verify(folder, copy / "signing.public.pem")
    assert verdict.problems == []
    assert verdict.remarks == ["Made for replay after it was signed, and not signed: 9.index."]


def test_what_nobody_touched_is_as_it_was_signed(archive: Path) -> None:
    assert [problems(archive, number) for number in range(3)] == [[], [], []]
    assert chain_of(archive) == []
    manifest = Manifest.parse((archive / "recordings" / NAMES[2] / MANIFEST).read_bytes())
    assert {part.name for part in manifest.parts} == {
        "7.index",
        "description.json",
        "journal.kjr",
        "summary.json",
    }
    assert manifest.previous is not None
    assert manifest.previous.recording == NAMES[1]
    assert Library(archive / "recordings").unfinished() == []
    assert not list(archive.glob("recordings/*/unsigned.json"))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["journal.kjr", "7.index", "description.json", "summary.json"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_flipped_bit_is_found(copy: Path, name: str, place: int) -> None:
    flip(copy / "recordings" / NAMES[1] / name, place)
    assert problems(copy) == [f"{name} was changed."]
    assert problems(copy, 0) == problems(copy, 2) == []


def cut(folder: Path) -> None:
    with (folder / JOURNAL).open("r+b") as file:
        file.truncate(file.seek(0, 2) - 100)


def rename(folder: Path) -> None:
    (folder / "7.index").rename(folder / "8.png")


def link(folder: Path) -> None:
    (folder / "7.index").rename(folder.parent / "elsewhere")
    (folder / "7.index").symlink_to(folder.parent / "elsewhere")


def mix(folder: Path) -> None:
    shutil.copy(folder.parent / NAMES[0] / "description.json", folder / "description.json")


def forge(folder: Path) -> None:
    """Change a file and the manifest with it; the signing key is not there to sign it."""
    flip(folder / "7.index", 0)
    fields = json.loads((folder / MANIFEST).read_bytes())
    fields["parts"][0]["sm3"] = "00" * 32
    (folder / MANIFEST).write_text(json.dumps(fields))


def sign_by_another(folder: Path) -> None:
    manifest = (folder / MANIFEST).read_bytes()
    (folder / SIGNATURE).write_bytes(sm2.sign(folder.parents[1] / "other.pem", manifest))


def swap(folder: Path) -> None:
    for name in (MANIFEST, SIGNATURE):
        shutil.copy(folder.parent / NAMES[0] / name, folder / name)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (cut, "bytes, "),
        (rename, "7.index is missing."),
        (rename, "8.png was slipped in"),
        (link, "7.index is no file."),
        (mix, "description.json "),
        (forge, "signature is not the hospital's"),
        (sign_by_another, "signature is not the hospital's"),
        (swap, "The manifest is that of"),
        (lambda folder: (folder / MANIFEST).unlink(), "has no manifest"),
        (lambda folder: (folder / SIGNATURE).write_bytes(b"x" * 5000), "signature is not"),
        (lambda folder: (folder / MANIFEST).write_bytes(b""), "signature is not"),
    ],
)
def test_hands_in_a_recording_are_seen(copy: Path, what: Callable[[Path], object], words: str) -> None:
    what(copy / "recordings" / NAMES[1])
    found = problems(copy)
    assert any(words in sentence for sentence in found), found
    assert problems(copy, 0) == []


def test_a_recording_that_was_taken_away_is_missed(copy: Path) -> None:
    shutil.rmtree(copy / "recordings" / NAMES[1])
    assert chain_of(copy) == [f"{NAMES[1]}, made before {NAMES[2]}, is missing."]


def test_a_recording_that_was_made_anew_does_not_fit_the_one_after_it(copy: Path) -> None:
    folder = copy / "recordings" / NAMES[1]
    manifest = Manifest.parse((folder / MANIFEST).read_bytes())
    fields = json.loads(bytes(manifest)) | {"made": manifest.made + 1}
    (folder / MANIFEST).write_bytes(json.dumps(fields).encode())
    (folder / SIGNATURE).write_bytes(sm2.sign(copy / "signing.pem", (folder / MANIFEST).read_bytes()))
    assert problems(copy) == []
    assert chain_of(copy) == [f"{NAMES[1]} has another manifest than when {NAMES[2]} was made."]


def test_the_hospitals_key_changes_and_nothing_else(copy: Path) -> None:
    folder = copy / "recordings" / NAMES[1]
    wrapped = keys.read(folder)
    assert wrapped is not None
    keys.write(folder, keys.wrap(NAMES[1], wrapped.open(copy / "hospital.pem"), [copy / "other.public.pem"]))
    assert problems(copy) == []
    keys.erase(folder)
    verdict = verify(folder, copy / "signing.public.pem")
    assert verdict.problems == []
    assert any("no key" in remark for remark in verdict.remarks)


def test_what_is_signed_is_never_signed_anew(copy: Path) -> None:
    folder = copy / "recordings" / NAMES[1]
    before = (folder / MANIFEST).read_bytes()
    sign_recording(folder, copy / "signing.pem", NOW + 1)
    assert (folder / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("known", [None, 0, 1, 2])
def test_after_a_kill_the_chain_goes_on_where_it_was(copy: Path, known: int | None) -> None:
    """The note of the last manifest is older than the manifest, or was never made."""
    root = copy / "recordings"
    last = (root / LAST).read_bytes()
    (root / LAST).unlink()
    if known is not None:
        digest = verify(root / NAMES[known], copy / "signing.public.pem").digest
        (root / LAST).write_text(json.dumps({"recording": NAMES[known], "sm3": digest}))
    catch_up(root)
    assert json.loads((root / LAST).read_bytes()) == json.loads(last)


GOOD = json.loads(
    bytes(Manifest("r", "demo", 1, "complete", 2, "ab" * 32, (Part("a", 1, "ab" * 32),), 0, "ab" * 32))
)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"recording": 5},
        {"started": -1},
        {"made": True},
        {"signer": "AB" * 32},
        {"log": {}},
        {"log": {"operations": 0, "head": "ab"}},
        {"parts": {}},
        {"parts": [{"name": "../x", "bytes": 1, "sm3": "ab" * 32}]},
        {"parts": [{"name": "a/b", "bytes": 1, "sm3": "ab" * 32}]},
        {"parts": [{"name": "..", "bytes": 1, "sm3": "ab" * 32}]},
        {"parts": [{"name": "a"}]},
        {"parts": [{"name": "a", "bytes": 1, "sm3": "ab" * 32}] * 20_001},
        {"previous": {"recording": "x"}},
        {"previous": []},
    ],
)
def test_a_manifest_that_is_none_is_one_error(change: dict[str, object]) -> None:
    assert Manifest.parse(json.dumps(GOOD).encode()).recording == "r"
    with pytest.raises(ManifestError):
        Manifest.parse(json.dumps(GOOD | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"{}", b"null", bytes(17 << 20)])
def test_bytes_that_are_no_manifest_are_one_error(data: bytes) -> None:
    with pytest.raises(ManifestError):
        Manifest.parse(data)
