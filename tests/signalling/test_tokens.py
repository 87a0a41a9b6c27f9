"""Signed links: who is let in, and every known way of forging one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.tokens import Claims, TokenError, is_room_name, issue, verify

SECRET = b"a secret of thirty-two bytes....", 1_000_000.0
KEY, NOW = SECRET
GOOD: dict[str, Any] = {
    "aud": "konsil",
    "room": "demo",
    "name": "Dr. Li Wei",
    "role": "expert",
    "exp": int(NOW) + 60,
}


def encode(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header: object, payload: object, key: bytes = KEY, digest: str = "sha256") -> str:
    text = f"{encode(header)}.{encode(payload)}"
    return f"{text}.{encode(hmac.new(key, text.encode(), getattr(hashlib, digest)).digest())}"


def signed(**changes: Any) -> str:
    payload = {key: value for key, value in (GOOD | changes).items() if value is not ...}
    return sign({"alg": "HS256", "typ": "JWT"}, payload)


def refused(token: str, room: str | None = None) -> TokenError:
    with pytest.raises(TokenError) as caught:
        verify(KEY, token, NOW, room)
    error = caught.value
    assert error.__cause__ is None
    assert len(token) < 20 or token not in str(error)
    assert "Li Wei" not in str(error)
    return error


def test_what_is_issued_is_verified() -> None:
    token = issue(KEY, room="demo", name="Dr. Li Wei", role="expert", expires=NOW + 60, subject="pt-1")
    claims = verify(KEY, token, NOW, "demo")
    assert replace(claims, link="") == Claims("demo", "Dr. Li Wei", "expert", "pt-1", NOW + 60)


def test_another_signer_is_understood() -> None:
    token = jwt.encode(GOOD, KEY, algorithm="HS256")
    assert verify(KEY, token, NOW).subject is None
    assert verify(KEY, signed(aud=["x", "konsil"]), NOW).room == "demo"


def test_a_link_ends_with_its_second() -> None:
    token = signed()
    assert verify(KEY, token, NOW + 59.999).room == "demo"
    with pytest.raises(TokenError) as caught:
        verify(KEY, token, NOW + 60)
    assert caught.value.code == "token_expired"


def test_a_forged_link_is_never_called_expired() -> None:
    token = sign({"alg": "HS256"}, GOOD | {"exp": 1}, key=b"x" * 32)
    assert refused(token).code == "token_invalid"


@pytest.mark.parametrize(
    "token",
    [
        sign({"alg": "none"}, GOOD),
        f"{encode({'alg': 'none'})}.{encode(GOOD)}.",
        f"{encode({'alg': 'None'})}.{encode(GOOD)}.AA",
        sign({"alg": "HS384"}, GOOD, digest="sha384"),
        sign({"alg": "HS512"}, GOOD, digest="sha512"),
        sign({"alg": "RS256"}, GOOD),
        sign({"alg": "ES256", "jwk": {"kty": "EC"}}, GOOD),
        sign({"alg": "HS256", "kid": "../../dev/null"}, GOOD, key=b""),
        sign({"alg": "HS256", "crit": ["x"]}, GOOD),
        sign({"alg": "HS256", "b64": False, "crit": ["b64"]}, GOOD),
        sign({"typ": "JWT"}, GOOD),
        sign([], GOOD),
        sign({"alg": "HS256"}, []),
        sign({"alg": "HS256"}, b"\xff"),
        sign(b"[" * 2500, GOOD),
        sign({"alg": "HS256"}, b"[" * 2500),
        sign({"alg": "HS256"}, GOOD, key=b"another secret of 32 bytes......"),
        signed()[:-2],
        signed() + "\n",
        signed() + "." + "A",
        "",
        "...",
        "a.b.c",
        "\ud800.é.中",
        "A" * 5000,
        " " + signed(),
    ],
)
def test_a_forged_or_broken_token_is_refused(token: str) -> None:
    assert refused(token).code == "token_invalid"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ...},
        {"aud": "other"},
        {"aud": None},
        {"exp": ...},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": -1},
        {"exp": 1e300},
        {"exp": [NOW]},
        {"nbf": NOW + 1},
        {"nbf": "x"},
        {"room": ...},
        {"room": ""},
        {"room": "../etc"},
        {"room": ".hidden"},
        {"room": "a/b"},
        {"room": "a\\b"},
        {"room": "demo\r\nX: y"},
        {"room": "demo\n"},
        {"room": "démo"},
        {"room": "x" * 65},
        {"room": 5},
        {"name": ...},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 81},
        {"name": "Li\x00Wei"},
        {"name": "Li\u202eieW"},
        {"name": "\ud800"},
        {"role": ...},
        {"role": "admin"},
        {"role": ["expert"]},
        {"sub": 5},
        {"sub": ""},
        {"sub": "x" * 65},
    ],
)
def test_claims_out_of_their_limits_are_refused(changes: dict[str, Any]) -> None:
    assert refused(signed(**changes)).code == "token_invalid"


def test_a_link_opens_its_own_room_only() -> None:
    assert refused(signed(), room="other").code == "token_invalid"


def test_a_passed_nbf_and_a_future_iat_do_no_harm() -> None:
    assert verify(KEY, signed(nbf=NOW, iat=NOW + 5), NOW).room == "demo"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        issue(b"short", room="demo", name="x", role="expert", expires=NOW)
    with pytest.raises(ValueError, match="32 bytes"):
        verify(b"x" * 31, signed(), NOW)


def test_a_link_that_would_not_open_is_not_issued() -> None:
    with pytest.raises(TokenError):
        issue(KEY, room="../demo", name="x", role="expert", expires=NOW)


@pytest.mark.parametrize("name", ["demo", "-", "_", "a.b", "x" * 64, "OR-3_left.cam"])
def test_room_names(name: str) -> None:
    assert is_room_name(name)


@given(st.text(max_size=200))
def test_any_text_is_refused(token: str) -> None:
    refused(token)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_any_changed_character_is_noticed(position: int, change: int) -> None:
    token = signed()
    position %= len(token)
    forged = token[:position] + chr(change) + token[position + 1 :]
    try:
        same = base64.urlsafe_b64decode(forged.split(".")[2] + "=") == base64.urlsafe_b64decode(
            token.split(".")[2] + "="
        )
    except (ValueError, IndexError):
        same = False
    # the last character of a part has bits that mean nothing
    if forged == token or (same and forged.rsplit(".", 1)[0] == token.rsplit(".", 1)[0]):
        return
    assert refused(forged).code == "token_invalid"


@pytest.mark.parametrize("wait", [True, False, None])
def test_a_link_may_say_whether_its_bearer_waits(wait: bool | None) -> None:
    token = issue(KEY, room="demo", name="x", role="expert", expires=NOW + 60, wait=wait)
    assert verify(KEY, token, NOW).wait is wait


def test_what_is_neither_true_nor_false_does_not_admit() -> None:
    claims = {"aud": "konsil", "room": "demo", "name": "x", "role": "expert", "exp": NOW + 60, "wait": "no"}
    with pytest.raises(TokenError):
        verify(KEY, jwt.encode(claims, KEY, algorithm="HS256"), NOW)


def test_each_link_has_a_name_of_its_own_that_opens_nothing() -> None:
    tokens = [issue(KEY, room="demo", name=n, role="expert", expires=NOW + 60) for n in ("a", "b")]
    links = [verify(KEY, token, NOW).link for token in tokens]
    assert len(set(links)) == 2
    assert all(link and link not in token for link, token in zip(links, tokens, strict=True))
