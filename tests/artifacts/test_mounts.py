"""A stored path is found where the machine has it, whichever way either is written."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecephys_dal import ConfigurationError
from ecephys_dal.artifacts.mounts import Mounts, local_path

ALLEN = {"/allen": "/mnt/allen"}
STORED = "/allen/programs/braintv/a b/"
STORED_FORMS = (
    STORED,
    "//allen/programs/braintv/a b/",
    "\\\\allen\\programs\\braintv\\a b\\",
    "/allen//programs/./braintv/a b",
    "//allen/programs\\braintv/a b",
)
on_posix = pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")


def mapped(stored: str, mounts: object) -> str | None:
    return local_path(stored, Mounts.of(mounts).pairs)


@on_posix
@pytest.mark.parametrize("directory", STORED_FORMS)
def test_any_stored_form_is_found_under_the_mount(directory: str) -> None:
    found = Mounts.of(ALLEN).path(directory, "x 1.nwb")
    assert found == Path("/mnt/allen/programs/braintv/a b/x 1.nwb")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/mnt/allen", "/mnt/allen/p/x.nwb"),
        ("/mnt/allen//", "/mnt/allen/p/x.nwb"),
        ("/", "/p/x.nwb"),
        ("//allen", "//allen/p/x.nwb"),
        ("//server/share/", "//server/share/p/x.nwb"),
        ("\\\\allen", "\\\\allen\\p\\x.nwb"),
        ("\\\\allen\\", "\\\\allen\\p\\x.nwb"),
        ("Z:\\allen", "Z:\\allen\\p\\x.nwb"),
        ("Z:/allen", "Z:\\allen\\p\\x.nwb"),
        ("Z:/", "Z:\\p\\x.nwb"),
        ("Z:\\", "Z:\\p\\x.nwb"),
        ("z:", "z:\\p\\x.nwb"),
        ("/mnt/back\\slash", "/mnt/back\\slash/p/x.nwb"),
    ],
)
@pytest.mark.parametrize("prefix", ["/allen", "//allen", "\\\\allen", "/allen/"])
@pytest.mark.parametrize("stored", ["/allen/p/x.nwb", "//allen/p/x.nwb", "\\\\allen\\p\\x.nwb"])
def test_targets_of_any_form(stored: str, prefix: str, target: str, expected: str) -> None:
    assert mapped(stored, {prefix: target}) == expected
    assert mapped(stored, f"{prefix}={target}") == expected


def test_the_longest_prefix_wins_in_any_order() -> None:
    pairs = {"/allen": "/a", "/allen/programs/x": "/c", "/allen/programs": "/b", "/": "/all"}
    for mounts in (pairs, dict(reversed(pairs.items()))):
        assert mapped("/allen/programs/x/y", mounts) == "/c/y"
        assert mapped("/allen/programs/xx/y", mounts) == "/b/xx/y"
        assert mapped("/allen/y", mounts) == "/a/y"
        assert mapped("/other/y", mounts) == "/all/other/y"


def test_of_equally_long_prefixes_the_one_of_the_same_form_wins() -> None:
    mounts = {"//allen": "/network", "/allen": "/local", "/z": "/long"}
    assert mapped("/allen/x", mounts) == "/local/x"
    assert mapped("//allen/x", mounts) == "/network/x"
    assert mapped("\\\\allen\\x", mounts) == "/network/x"


@pytest.mark.parametrize("stored", ["/allen2/x", "/alle/x", "/x/allen/y", "/Allen/x", "/ALLEN/x"])
def test_a_prefix_ends_where_a_component_does(stored: str) -> None:
    assert mapped(stored, ALLEN) is None


def test_case_counts_except_between_windows_forms() -> None:
    assert mapped("\\\\ALLEN\\X\\y", {"//allen/x": "/mnt"}) == "/mnt/y"
    assert mapped("//Allen/x/Y", {"\\\\allen\\X": "/mnt"}) == "/mnt/Y"
    assert mapped("z:\\Data\\Y", {"Z:/data": "/mnt"}) == "/mnt/Y"
    assert mapped("/ALLEN/x", {"//allen": "/mnt"}) is None
    assert mapped("//ALLEN/x", {"/allen": "/mnt"}) is None


@pytest.mark.parametrize("mounts", [{}, "", " ; "])
def test_without_mounts_no_path_is_local(mounts: object) -> None:
    assert Mounts.of(mounts) == Mounts()
    for stored in ("/allen/a b/x", "//allen/x", "\\\\allen\\x", "Z:\\allen\\x"):
        assert mapped(stored, mounts) is None
        assert Mounts.of(mounts).opened(stored, "x") is None


@pytest.mark.parametrize("prefix", ["/allen", "Z:\\allen"])
def test_mounts_may_say_that_paths_are_as_stored(prefix: str) -> None:
    for stored in (f"{prefix}/a b/x", f"{prefix}/x"):
        found = mapped(stored, {prefix: prefix})
        assert found is not None
        assert found.replace("\\", "/") == stored.replace("\\", "/")


def test_a_backslash_is_a_part_of_a_posix_name() -> None:
    assert mapped("/allen/a\\b/x", ALLEN) == "/mnt/allen/a\\b/x"
    assert mapped("/allen/a\\b/x", {"/": "/"}) == "/allen/a\\b/x"


def test_empty_components_and_dots_do_not_count() -> None:
    assert mapped("/allen//./p/x/", {"/allen/p/": "/mnt/./p/"}) == "/mnt/./p/x"


def test_a_drive_is_mounted_elsewhere() -> None:
    assert mapped("Z:\\allen\\x", "Z:=/mnt/z") == "/mnt/z/allen/x"
    assert mapped("Z:/allen/x", "Z:\\=/mnt/z") == "/mnt/z/allen/x"
    assert mapped("/allen/x", "Z:=/mnt/z") is None
    assert mapped("Z:/allen/x", {"/": "/mnt"}) is None


def test_a_mount_may_be_of_one_file() -> None:
    assert mapped("/allen/x.nwb", {"/allen/x.nwb": "/mnt/y.nwb"}) == "/mnt/y.nwb"
    assert mapped("/allen", {"/allen": "/"}) == "/"


@pytest.mark.parametrize(
    "stored",
    [
        "/allen/../etc/passwd",
        "/allen/x/..",
        "..",
        "//allen/../x",
        "\\\\allen\\..\\x",
        "/allen/..\\..\\x",
        "/allen/x\\..",
        "Z:\\allen\\..\\x",
        "/allen/.. /x",
        "/allen/.../x",
        "/allen/.. ./x",
        "/allen/x\0y",
        "allen/x",
        "./allen",
        "~/x",
        "Z:x",
        "C:..\\x",
        "",
    ],
)
@pytest.mark.parametrize("mounts", [{}, ALLEN, {"/": "Z:\\"}, {"/allen": "\\\\allen"}])
def test_what_climbs_or_is_not_absolute_is_not_local(stored: str, mounts: dict[str, str]) -> None:
    assert mapped(stored, mounts) is None
    assert Mounts.of(mounts).path(stored, "x.nwb") is None


@on_posix
@pytest.mark.parametrize("filename", ["../x", "..", "a/../../x", "..\\x", "a\\..\\..\\x", "x\0"])
def test_a_name_that_climbs_is_not_local(filename: str) -> None:
    assert Mounts.of({"/": "/"}).path("/allen", filename) is None


@on_posix
def test_dots_inside_a_name_are_no_climbing() -> None:
    everything = Mounts.of({"/": "/"})
    assert everything.path("/allen/..a/b..", "x..nwb") == Path("/allen/..a/b../x..nwb")
    assert everything.path("/allen", "...nwb") == Path("/allen/...nwb")


@pytest.mark.parametrize(
    ("directory", "filename"),
    [
        (None, "x"),
        ("", "x"),
        ("/allen", None),
        ("/allen", ""),
        (None, None),
        ("/allen", "/"),
        ("/allen", "."),
    ],
)
def test_a_record_that_lacks_a_part_has_no_path(directory: str | None, filename: str) -> None:
    assert Mounts.of(ALLEN).path(directory, filename) is None


@on_posix
def test_a_name_never_replaces_its_folder() -> None:
    assert Mounts.of(ALLEN).path("/allen/x", "/etc/passwd") == Path("/mnt/allen/x/etc/passwd")


@on_posix
def test_a_windows_target_is_no_path_of_another_machine() -> None:
    """It would be the name of a file in the working folder."""
    assert Mounts.of({"/allen": "Z:\\allen"}).path("/allen/x", "y.nwb") is None
    assert Mounts.of({"/allen": "\\\\allen"}).path("/allen/x", "y.nwb") is None


@on_posix
def test_a_file_under_a_mount_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "x.nwb").write_bytes(b"spikes")
    found = Mounts.of({"/allen/programs": tmp_path}).path("//allen/programs/a b/", "x.nwb")
    assert found is not None
    assert found.read_bytes() == b"spikes"


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        True,
        ["/allen=/mnt/allen"],
        b"/allen=/mnt",
        {"/allen": None},
        {5: "/mnt"},
        {"/allen": b"/mnt"},
        "/allen",
        "/allen=",
        "=/mnt",
        "/allen=/mnt=/x",
        "/allen:/mnt",
        "allen=/mnt",
        "/allen=mnt",
        {"/allen": "~no_such_user/mnt"},
        {"": "/mnt"},
        {"/allen/..": "/mnt"},
        {"/allen": "/mnt/../x"},
        {"Z:x": "/mnt"},
        "/allen=/mnt;/allen=/other",
        {"/allen": "/mnt", "/allen/": "/other"},
        {"//allen/x": "/mnt", "\\\\allen\\x": "/other"},
        {b"/allen": "/mnt"},
    ],
    ids=repr,
)
def test_a_bad_setting_is_refused_by_name(value: object) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"mounts={value!r}: ")):
        Mounts.of(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("/allen=/mnt=/x", "'/allen=/mnt=/x' isn't one path, one '=' and another path"),
        ("allen=/mnt", "'allen' isn't an absolute path"),
        ({"/allen": "mnt"}, "'mnt' isn't an absolute path"),
        ({"/allen": b"/mnt"}, "b'/mnt' isn't an absolute path"),
        ({b"/allen": "/mnt"}, "b'/allen' isn't an absolute path"),
        ("/allen=/a;/allen/=/b", "'/allen/' is given twice"),
        (["/allen"], "list is neither a mapping nor text"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_would_be_right(value: object, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(reason)) as raised:
        Mounts.of(value)
    assert "'/allen=/mnt/allen'" in str(raised.value)


def test_mounts_of_equal_meaning_are_equal() -> None:
    text = Mounts.of(" /data = /d ; /allen=/mnt/a b;")
    assert text == Mounts.of({"/allen": "/mnt/a b", "/data": "/d"})
    assert text == Mounts.of(text)
    assert len({text, Mounts.of({"/data": PurePosixPath("/d"), "/allen": "/mnt/a b"})}) == 1
    assert pickle.loads(pickle.dumps(text)) == text
    assert text != Mounts()


part = st.text(st.characters(exclude_characters="/\\\0:"), min_size=1, max_size=8).filter(
    lambda name: not re.fullmatch(r"\.|\.\.[. ]*", name)
)


@given(st.lists(part, min_size=1, max_size=5), st.sampled_from(["/mnt/allen", "//s/h", "/"]))
def test_components_arrive_as_they_are(parts: list[str], target: str) -> None:
    stored = "/".join(["/allen", *parts])
    found = mapped(stored, {"/allen": target})
    assert found is not None
    assert PurePosixPath(found).parts == (*PurePosixPath(target).parts, *parts)
    windows = mapped(stored, {"/allen": "Z:\\allen"})
    assert windows == "\\".join(["Z:\\allen", *parts])


@given(st.text(st.sampled_from("./\\ aZ:"), max_size=20), st.sampled_from(["/m/t", "Z:\\m\\t"]))
def test_nothing_is_outside_of_its_mount(text: str, target: str) -> None:
    found = mapped(f"/allen/{text}", {"/allen": target})
    if found is not None:
        kind = PureWindowsPath if ":" in target else PurePosixPath
        assert kind(found).is_relative_to(kind(target))
        assert not {"..", ".. ", "..."} & set(PureWindowsPath(found).parts)
