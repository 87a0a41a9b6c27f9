"""The table of permissions, held against the protocol's words."""

from __future__ import annotations

import pytest

from signalling.permissions import PERMISSIONS, ROLES, Permission, Role, may, permissions, refusal

ALLOWED: dict[Role, set[Permission]] = {
    "surgeon": {
        *("publish", "publish_field", "watch", "mark", "clear_own", "clear_field", "record", "replay"),
        *("answer", "calibrate"),
        *("admit", "remove", "raise_hand", "message", "guide", "fetch_files", "images", "patient"),
        *("choose_patient", "copy_out", "teach", "export", "keep"),
        "curate_images",
    },
    "chair": {
        *("calibrate", "choose_patient", "copy_out", "teach", "export", "keep"),
        *("publish", "watch", "mark", "clear_own", "clear_field", "record", "replay", "moderate"),
        *("admit", "remove", "raise_hand", "message", "guide", "fetch_files", "images", "patient"),
        "curate_images",
    },
    "expert": {
        *("publish", "watch", "mark", "clear_own", "replay", "raise_hand", "message", "images", "patient"),
        *("fetch_files", "teach"),
    },
    "trainee": {"watch", "replay", "raise_hand"},
    "observer": {"watch"},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_exactly_this(role: Role) -> None:
    assert set(permissions(role)) == ALLOWED[role]
    assert {permission for permission in PERMISSIONS if may(role, permission)} == ALLOWED[role]


def test_only_the_surgeon_shows_the_field() -> None:
    assert [role for role in ROLES if may(role, "publish_field")] == ["surgeon"]


def test_whoever_clears_the_field_may_clear_his_own() -> None:
    for role in ROLES:
        assert may(role, "clear_own") or not may(role, "clear_field")
        assert may(role, "mark") == may(role, "clear_own")


def test_every_refusal_is_a_sentence_of_its_own() -> None:
    sentences = {refusal(role, permission) for role in ROLES for permission in PERMISSIONS}
    assert len(sentences) == len(ROLES) * len(PERMISSIONS)
    assert refusal("trainee", "mark") == "A trainee may not draw on the field."
