"""Who may do what: in words, then as a table that can be held beside them.

surgeon   operates: shows the operating field, draws, wipes everything away with one key, records, and decides
          who is in the room.
chair     leads the conversation: like the surgeon, but has no field to show or to answer for, and may mute others
          and say who may be heard and seen.
expert    is asked for an opinion: is seen and heard, draws, wipes away only his own.
trainee   learns: sees the room and replays its recordings. May ask for the floor. May not draw: a learner's mark
          could be taken for an expert's advice. May not fetch files: what is in them is known to nobody.
observer  sees the room while it lasts, and nothing else.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Role = Literal["surgeon", "chair", "expert", "trainee", "observer"]
Permission = Literal[
    "publish",  # camera, microphone, screen, a second image source
    "publish_field",  # the operating field, which marks are drawn on
    "watch",  # be sent what the others publish
    "mark",  # draw, point, undo, redo
    "clear_own",  # wipe one's own marks away
    "clear_field",  # wipe everybody's marks away, delete what others drew
    "answer",  # say of an instruction: seen, done, no
    "calibrate",  # say how large the field is
    "record",  # start and stop the recording
    "replay",  # see the room's recordings
    "moderate",  # mute others, say what each may send and who may watch it, lower hands
    "admit",  # let in who waits, lock the room
    "remove",  # show a participant out
    "raise_hand",  # ask for the floor
    "guide",  # say who may draw, and which way round a picture is
    "message",  # write to all, send a file, send on a data channel of the room
    "fetch_files",  # fetch what others sent as a file: nobody can take a patient's name out of it
    "images",  # bring images into the room, take them away
    "choose_patient",  # say whose consultation it is, by the worklist
    "teach",  # set tasks on recordings, assess, see how others learn
    "export",  # take films of a recording out of the archive
    "keep",  # say how long recordings are kept, hold them, ask for their deletion and agree to it
    "copy_out",  # take a de-identified copy of images and marks out of the house
    "curate_images",  # take images away, release those with words in them, look at what was not taken
    "patient",  # see whose images and data they are; others get de-identified views
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

# fmt: off
_TABLE: Final[dict[Permission, str]] = {
    #                 surgeon chair expert trainee observer
    "publish":       "yes     yes   yes    no      no",
    "publish_field": "yes     no    no     no      no",
    "watch":         "yes     yes   yes    yes     yes",
    "mark":          "yes     yes   yes    no      no",
    "clear_own":     "yes     yes   yes    no      no",
    "clear_field":   "yes     yes   no     no      no",
    "answer":        "yes     no    no     no      no",
    "calibrate":     "yes     yes   no     no      no",
    "record":        "yes     yes   no     no      no",
    "replay":        "yes     yes   yes    yes     no",
    "moderate":      "no      yes   no     no      no",
    "admit":         "yes     yes   no     no      no",
    "remove":        "yes     yes   no     no      no",
    "raise_hand":    "yes     yes   yes    yes     no",
    "message":       "yes     yes   yes    no      no",
    "guide":         "yes     yes   no     no      no",
    "fetch_files":   "yes     yes   yes    no      no",
    "images":        "yes     yes   yes    no      no",
    "choose_patient": "yes    yes   no     no      no",
    "teach":         "yes     yes   yes    no      no",
    "export":        "yes     yes   no     no      no",
    "keep":          "yes     yes   no     no      no",
    "copy_out":      "yes     yes   no     no      no",
    "curate_images": "yes     yes   no     no      no",
    "patient":       "yes     yes   yes    no      no",
}
# fmt: on

_MAY: Final[dict[tuple[str, str], bool]] = {
    (role, permission): cell == "yes"
    for permission, row in _TABLE.items()
    for role, cell in zip(ROLES, row.split(), strict=True)
}

_NAMES: Final[dict[Role, str]] = {
    "surgeon": "The surgeon",
    "chair": "The chair",
    "expert": "An expert",
    "trainee": "A trainee",
    "observer": "An observer",
}

_DEEDS: Final[dict[Permission, str]] = {
    "publish": "send pictures or sound",
    "publish_field": "show the operating field",
    "watch": "watch the room",
    "mark": "draw on the field",
    "clear_own": "clear marks",
    "clear_field": "clear everybody's marks",
    "answer": "answer instructions",
    "calibrate": "calibrate the picture",
    "record": "start or stop the recording",
    "replay": "see recordings",
    "moderate": "lead the conversation",
    "admit": "open or lock the room",
    "remove": "show others out",
    "raise_hand": "raise a hand",
    "message": "send to the others",
    "guide": "say who draws, or which way round a picture is",
    "fetch_files": "fetch files, which may hold a patient's name",
    "images": "bring images into the room",
    "choose_patient": "say who the patient is",
    "teach": "set tasks or assess",
    "export": "take films out of the archive",
    "keep": "decide what is kept",
    "copy_out": "take a copy of images out of the house",
    "curate_images": "decide which images are shown",
    "patient": "see who the patient is",
}


def may(role: Role, permission: Permission) -> bool:
    """Tell whether the role has the permission."""
    return _MAY[role, permission]


def permissions(role: Role) -> tuple[Permission, ...]:
    """List all permissions of the role, in the table's order."""
    return tuple(permission for permission in PERMISSIONS if _MAY[role, permission])


def refusal(role: Role, permission: Permission) -> str:
    """Say in one sentence that the role lacks the permission: the text of error `not_permitted`."""
    return f"{_NAMES[role]} may not {_DEEDS[permission]}."
