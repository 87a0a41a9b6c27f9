"""What goes out to a hospital, before foreign judges, and read back again."""

from __future__ import annotations

import io
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from annotation.anchors import DicomAnchor, VideoAnchor
from annotation.dicom.bundle import Written, write_all
from annotation.dicom.capture import secondary_capture
from annotation.dicom.key_objects import key_object_selection
from annotation.dicom.kinds import KINDS
from annotation.dicom.measuring import MEASURING, label, measure, measured_image
from annotation.dicom.outgoing import DrawnMark, OutgoingError, Subject, header
from annotation.dicom.presentation import presentation_states
from annotation.dicom.read_back import ReadMark, read_back
from annotation.dicom.reading import quietly
from annotation.dicom.report import measurement_report
from annotation.dicom.web_annotation import web_annotations
from annotation.shapes import Mark
from tests.helpers.drawing import EVERY_SHAPE, a_stamp, every_mark, image, mark
from tests.helpers.judges import complaints, said

IMAGES = ["CT_small.dcm", "MR_small.dcm", "rtdose.dcm", "examples_ybr_color.dcm", "examples_palette.dcm"]
GREY = {"CT_small.dcm", "MR_small.dcm", "rtdose.dcm"}


def again(dataset: Dataset) -> Dataset:
    """Write an object and read it."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return quietly(pydicom.dcmread, buffer)


def states(name: str, *, frame: int = 1) -> tuple[Dataset, list[Dataset]]:
    source = image(name)
    marks = every_mark("room's", frame)
    measured = measured_image(source)
    found = presentation_states(
        marks,
        {"room's": source},
        a_stamp(creator="Dr. Li Wei"),
        labeller=lambda d, _: label(measure(d.mark, measured)),
    )
    return source, found


def nearest(found: list[ReadMark], drawn: DrawnMark, source: Dataset) -> float:
    """Give how many pixels a mark lies from where it was, at its worst point."""
    (same,) = [one for one in found if one.key == drawn.mark.mark]
    assert same.shape == drawn.mark.shape
    assert len(same.points) == len(drawn.mark.points)
    return max(
        math.hypot((x - a) * source.Columns, (y - b) * source.Rows)
        for (x, y), (a, b) in zip(same.points, drawn.mark.points, strict=True)
    )


@pytest.mark.parametrize("name", IMAGES)
def test_judges_are_content_with_presentation_states(name: str, tmp_path: Path) -> None:
    _, written = states(name)
    assert len(written) == 1
    wanted = "1.2.840.10008.5.1.4.1.1.11." + ("1" if name in GREY else "2")
    assert written[0].SOPClassUID == wanted
    assert complaints("dcmpschk", written[0], tmp_path) == []
    assert complaints("dciodvfy", written[0], tmp_path) == []


@pytest.mark.parametrize("name", IMAGES)
def test_marks_come_back_where_they_stood(name: str) -> None:
    source, written = states(name)
    size = (source.Columns, source.Rows)
    found = read_back(again(written[0]), lambda sop: size if sop == source.SOPInstanceUID else None)
    assert found.skipped == 0
    marks = every_mark("room's")
    assert {one.shape for one in found.marks} == EVERY_SHAPE.keys()
    for drawn in marks:
        assert nearest(list(found.marks), drawn, source) < 0.05
    by = {one.shape: one for one in found.marks}
    assert by["text"].text == "Look here"
    assert (by["freehand"].name, by["line"].name) == ("Dr. Li Wei", "Anna Meier")
    assert (by["freehand"].colour, by["line"].colour) == ("#4cc2ff", "#ffb000")


def test_a_mark_on_a_later_frame_comes_back_on_it() -> None:
    source, written = states("examples_ybr_color.dcm", frame=17)
    found = read_back(again(written[0]), lambda _: (source.Columns, source.Rows))
    assert {one.frame for one in found.marks} == {17}


def test_a_layer_is_one_experts_with_name_and_colour() -> None:
    _, (written,) = states("CT_small.dcm")
    layers = written.GraphicLayerSequence
    assert [layer.GraphicLayerDescription for layer in layers] == ["Dr. Li Wei", "Anna Meier"]
    used = {annotation.GraphicLayer for annotation in written.GraphicAnnotationSequence}
    assert used == {layer.GraphicLayer for layer in layers}
    # the window and the rescaling are the image's own
    assert written.RescaleIntercept == image("CT_small.dcm").RescaleIntercept


def test_names_and_words_in_chinese_survive() -> None:
    source = image("CT_small.dcm")
    drawn = DrawnMark(mark("text", "a", text="这里剪 <b>&"), "pt-1", "李娜", "#ff0000", 1.0)
    (written,) = presentation_states([drawn], {"a": source}, a_stamp())
    (found,) = read_back(again(written), lambda _: (128, 128)).marks
    assert (found.name, found.text) == ("李娜", "这里剪 <b>&")


def test_points_on_the_border_are_within_the_image(tmp_path: Path) -> None:
    corners = Mark("m-1", "line", DicomAnchor("a", 1), ((0.0, 0.0), (1.0, 1.0)), 0.05)
    arrow = Mark("m-2", "arrow", DicomAnchor("a", 1), ((0.0, 0.0), (0.0, 1.0)), 0.05)
    words = Mark("m-3", "text", DicomAnchor("a", 1), ((1.0, 1.0),), 0.05, "corner")
    marks = [DrawnMark(one, "pt-1", "A", "#fff", 1.0) for one in (corners, arrow, words)]
    (written,) = presentation_states(marks, {"a": image("CT_small.dcm")}, a_stamp())
    graphic = written.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    assert list(graphic.GraphicData) == [0.0, 0.0, 128.0, 128.0]
    assert complaints("dcmpschk", written, tmp_path) == []


def test_two_thousand_points_are_one_graphic(tmp_path: Path) -> None:
    points = tuple((0.5 + 0.4 * math.cos(t / 300), 0.5 + 0.4 * math.sin(t / 300)) for t in range(2000))
    long = DrawnMark(Mark("m-1", "freehand", DicomAnchor("a", 1), points, 0.004), "pt-1", "A", "#fff", 1.0)
    source = image("CT_small.dcm")
    (written,) = presentation_states([long], {"a": source}, a_stamp())
    (found,) = read_back(again(written), lambda _: (128, 128)).marks
    assert len(found.points) == 2000
    assert complaints("dcmpschk", written, tmp_path) == []


def test_images_that_are_shown_otherwise_have_a_state_of_their_own() -> None:
    ct, mr = image("CT_small.dcm"), image("MR_small.dcm")
    marks = [*every_mark("ct"), *every_mark("mr")]
    written = presentation_states(marks, {"ct": ct, "mr": mr}, a_stamp())
    assert [one.StudyInstanceUID for one in written] == [ct.StudyInstanceUID, mr.StudyInstanceUID]
    assert len({one.SOPInstanceUID for one in written}) == 2


def test_marks_on_video_and_on_unknown_images_are_not_written() -> None:
    on_video = Mark("m-1", "line", VideoAnchor(7, 1), ((0.0, 0.0), (1.0, 1.0)), 0.01)
    elsewhere = mark("line", "unknown")
    marks = [DrawnMark(one, "pt-1", "A", "#fff", 1.0) for one in (on_video, elsewhere)]
    assert presentation_states(marks, {"a": image("CT_small.dcm")}, a_stamp()) == []


def measured_report(name: str) -> tuple[Dataset, Dataset]:
    source = image(name)
    pixels = (
        source.pixel_array * float(source.RescaleSlope) + float(source.RescaleIntercept)
        if "CT" in name
        else None
    )
    measured = measured_image(source, pixels)
    written = measurement_report(
        every_mark("a"), {"a": source}, a_stamp(creator="Dr. Li Wei"), lambda d, _: measure(d.mark, measured)
    )
    assert written is not None
    return source, written


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_ybr_color.dcm"])
def test_judges_are_content_with_reports(name: str, tmp_path: Path) -> None:
    _, written = measured_report(name)
    assert complaints("dsrdump", written, tmp_path) == []
    assert complaints("dciodvfy", written, tmp_path) == []


def test_a_report_says_what_the_page_measures(tmp_path: Path) -> None:
    _, written = measured_report("CT_small.dcm")
    text = said("dsrdump", written, tmp_path)
    # 0.2 x 128 pixels of 0.661468 mm, both ways
    assert f'"Length")="{0.2 * 128 * 0.661468 * math.sqrt(2):.4f}' in text
    assert '"90.0" (deg,UCUM,"degree")' in text
    assert "Hounsfield unit" in text
    assert '"Activity Session")="Anna Meier"' in text
    assert '"Person Observer Name")="Dr. Li Wei^"' in text


def test_measurements_come_back_where_they_stood() -> None:
    source, written = measured_report("CT_small.dcm")
    found = read_back(again(written), lambda _: (source.Columns, source.Rows))
    assert {one.shape for one in found.marks} == MEASURING
    for drawn in every_mark("a"):
        if drawn.mark.shape in MEASURING:
            assert nearest(list(found.marks), drawn, source) < 0.05


def test_nothing_measured_is_no_report() -> None:
    source = image("CT_small.dcm")
    lines = [DrawnMark(mark("line", "a"), "pt-1", "A", "#fff", 1.0)]
    assert (
        measurement_report(lines, {"a": source}, a_stamp(), lambda d, i: measure(d.mark, measured_image(i)))
        is None
    )


def test_judges_are_content_with_a_selection(tmp_path: Path) -> None:
    source, (state,) = states("CT_small.dcm")
    written = key_object_selection([source, state], a_stamp(), "Discussed in a consultation")
    assert complaints("dciodvfy", written, tmp_path) == []
    assert complaints("dsrdump", written, tmp_path) == []
    assert "Discussed in a consultation" in said("dsrdump", written, tmp_path)


def test_a_capture_has_the_picture_and_the_marks_in_it(tmp_path: Path) -> None:
    source = image("CT_small.dcm")
    picture = np.full((256, 320, 3), (10, 200, 30), np.uint8)
    plain = secondary_capture(picture, source, a_stamp())
    assert np.array_equal(again(plain).pixel_array, picture)
    assert plain.BurnedInAnnotation == "NO"
    marked = secondary_capture(picture, source, a_stamp(), marks=every_mark("a"))
    assert marked.BurnedInAnnotation == "YES"
    drawn = again(marked).pixel_array
    # the line from (0.9, 0.2) to (0.3, 0.431) in its author's colour
    assert tuple(drawn[round(0.2 * 256), round(0.9 * 320) - 1]) == (0xFF, 0xB0, 0x00)
    assert tuple(drawn[250, 5]) == (10, 200, 30)
    for written in (plain, marked):
        assert (written.PatientID, written.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
        assert complaints("dciodvfy", written, tmp_path) == []


def test_a_capture_of_oblong_pixels_says_so() -> None:
    source = image("CT_small.dcm")
    source.PixelSpacing = ["0.7", "0.5"]
    written = secondary_capture(np.zeros((8, 8, 3), np.uint8), source, a_stamp())
    assert list(written.PixelAspectRatio) == [7000, 5000]


def test_a_still_of_the_field_bears_the_rooms_patient(tmp_path: Path) -> None:
    subject = Subject("2.25.77", "4711", "Müller^Anna", "19700101", "F", "HIS", "A1")
    written = secondary_capture(np.zeros((90, 160, 3), np.uint8), subject, a_stamp())
    kept = again(written)
    assert (str(kept.PatientName), kept.PatientID, kept.IssuerOfPatientID) == ("Müller^Anna", "4711", "HIS")
    assert (kept.StudyInstanceUID, kept.AccessionNumber) == ("2.25.77", "A1")
    assert complaints("dciodvfy", written, tmp_path) == []


def test_web_annotations_are_json_ld_with_an_svg_each() -> None:
    page = web_annotations(
        every_mark("a"), lambda _: ("https://konsil.example.org/i", 640, 480), "urn:uuid:1"
    )
    assert json.loads(json.dumps(page))["type"] == "AnnotationPage"
    assert len(page["items"]) == len(EVERY_SHAPE)
    for item in page["items"]:
        tree = ET.fromstring(item["target"]["selector"]["value"])
        assert tree.attrib["viewBox"] == "0 0 640 480"
        assert item["creator"]["name"] in ("Dr. Li Wei", "Anna Meier")


def test_markup_in_a_mark_stays_text_in_an_annotation() -> None:
    bad = DrawnMark(mark("text", "a", text="</svg><script>1</script>"), "pt-1", "A", '"/><x', 1.0)
    page = web_annotations([bad], lambda _: ("https://x", 10, 10), "urn:uuid:1")
    tree = ET.fromstring(page["items"][0]["target"]["selector"]["value"])
    assert [element.tag.rpartition("}")[2] for element in tree.iter()] == ["svg", "g", "text"]


def test_an_image_without_identity_is_refused_in_a_sentence_without_values() -> None:
    source = image("CT_small.dcm")
    source.SOPInstanceUID = "not a uid, but a name"
    with pytest.raises(OutgoingError, match="no valid SOPInstanceUID") as refused:
        header(source)
    assert "name" not in str(refused.value)


def test_an_image_whose_attributes_are_nonsense_is_refused_in_a_sentence_too() -> None:
    source = image("CT_small.dcm")
    source.WindowCenter, source.WindowWidth = ["40", "50"], "80"
    source.RescaleSlope = "0"
    source.PatientBirthDate = "soon"
    drawn = [DrawnMark(mark("line", "a"), "pt-1", "A", "#fff", 1.0)]
    with pytest.raises(OutgoingError) as refused:
        presentation_states(drawn, {"a": source}, a_stamp())
    assert str(refused.value) == "The image's attributes do not make a valid presentation state."


@pytest.mark.parametrize(
    "name",
    [
        *("eCT_Supplemental.dcm", "liver_1frame.dcm", "RG1_UNCI.dcm", "examples_overlay.dcm"),
        *("MR_small_jp2klossless.dcm", "examples_palette.dcm", "examples_ybr_color.dcm"),
    ],
)
def test_whatever_the_image_is_all_objects_are_written_and_valid(name: str, tmp_path: Path) -> None:
    """Enhanced multi-frame, one frame of a segmentation, spacing of nought, several windows, compressed, in colour."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    written = list(write_all(every_mark("a"), {"a": Path(path)}, [], None, KINDS, a_stamp()))
    assert [one.kind for one in written if isinstance(one, Written)] == list(KINDS), written
    for one in written:
        assert isinstance(one, Written)
        assert complaints("dciodvfy", one.dataset, tmp_path) == []
