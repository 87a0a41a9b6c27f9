"""The configuration: every key documented, the file below the environment, every mistake named."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.config import SECTIONS, Config, ConfigError, document, load

ROOT = Path(__file__).parent.parent.parent


def load_text(folder: Path, text: str, environment: dict[str, str] | None = None) -> Config:
    file = folder / "konsil.toml"
    file.write_text(text, "utf-8")
    return load(file, environment or {})


def test_nothing_given_means_the_defaults() -> None:
    assert load(None, {}) == Config()


def test_the_file_is_read(tmp_path: Path) -> None:
    config = load_text(
        tmp_path,
        '[http]\nport = 9000\n[rooms]\nresume_seconds = 5\n[media]\nadvertised = ["10.0.0.1", "[::1]:5"]\n',
    )
    assert config.http.port == 9000
    assert config.rooms.resume_seconds == 5.0
    assert config.media.advertised == ("10.0.0.1", "[::1]:5")
    assert config.media.port == Config().media.port


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environment = {
        "KONSIL_HTTP_PORT": "9001",
        "KONSIL_MEDIA_ADVERTISED": "10.0.0.2, 10.0.0.3",
        "KONSIL_ROOMS_RESUME_SECONDS": "2.5",
        "PATH": "/bin",
    }
    config = load_text(tmp_path, '[http]\nport = 9000\nhost = "0.0.0.0"\n', environment)
    assert (config.http.port, config.http.host) == (9001, "0.0.0.0")
    assert config.media.advertised == ("10.0.0.2", "10.0.0.3")
    assert config.rooms.resume_seconds == 2.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[http]\nport = 80\nprot = 81\n", "line 3: [http] has no key prot"),
        ("[http]\n\n[htpt]\nport = 1\n", "line 3: there is no section [htpt]"),
        ('[http]\nhost = "a"\nport = "8080"\n', "line 3: port must be a whole number"),
        ("[http]\nport = true\n", "line 2: port must be a whole number"),
        ("[http]\nport = 65536\n", "line 2: port must be from 0 to 65535"),
        ("[rooms]\nresume_seconds = 0\n", "line 2: resume_seconds must be from 1 to 600"),
        ("[rooms]\nresume_seconds = nan\n", "line 2: resume_seconds must be from 1 to 600"),
        ('[media]\nadvertised = "10.0.0.1"\n', "line 2: advertised is a list of strings"),
        ("[media]\nadvertised = [1]\n", "line 2: advertised is a list of strings"),
        ("[http]\nhost = 1\n", "line 2: host must be a string in quotes"),
        ("http = 1\n", "line 1: http is a section: write [http]"),
        ("[http\n", "this is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_text(tmp_path, text)
    assert words in str(error.value)
    assert str(tmp_path / "konsil.toml") in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("KONSIL_HTTP_PORT", "eighty", "KONSIL_HTTP_PORT: port must be a number, not 'eighty'"),
        ("KONSIL_HTTP_PORT", "70000", "KONSIL_HTTP_PORT: port must be from 0 to 65535"),
        ("KONSIL_HTTP_PROT", "1", "KONSIL_HTTP_PROT: no configuration key has this name"),
        ("KONSIL_WEB_PORT", "1", "KONSIL_WEB_PORT: no configuration key has this name"),
    ],
)
def test_a_mistake_in_the_environment_is_named(variable: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, {variable: value})
    assert words in str(error.value)


def test_the_document_names_every_key_with_its_meaning() -> None:
    lines = document().splitlines()
    for section, kind in SECTIONS.items():
        assert f"[{section}]" in lines
        for key in dataclasses.fields(kind):
            words = key.metadata["words"]
            assert words.endswith(".") or ";" in words
            assert lines[lines.index(f"# {words}") + 1].startswith(f"{key.name} = ")


def test_the_printed_configuration_loads_back_to_the_defaults(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "server", "config"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
        encoding="utf-8",
        env={name: value for name, value in os.environ.items() if not name.startswith("KONSIL_")},
    ).stdout
    assert load_text(tmp_path, printed) == Config()


def test_the_page_of_the_documentation_is_what_the_program_prints() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert page.partition("```toml\n")[2].partition("```")[0] == document()


def test_a_mistake_ends_the_program_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "konsil.toml"
    file.write_text("[http]\nprot = 1\n")
    ended = subprocess.run(
        [sys.executable, "-m", "server", "--config", str(file), "run"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
        encoding="utf-8",
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"{file}, line 2: [http] has no key prot; it has host, port, public_url, certificate, private_key."
    ]
