"""Archives that are damaged or hostile are refused, and write nothing elsewhere."""

import io
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from nbhelpers.data.datasets.fetching.archive import extract
from nbhelpers.data.datasets.fetching.errors import SourceError
from nbhelpers.data.datasets.registry import Member
from tests.data.datasets.fetching.fault_server import pack

GOOD = {"u.data": b"1\t2\t3\t4\n" * 50, "u.item": b"1|Film\n"}
MEMBERS = {"u.data": Member(max_bytes=400), "u.item": Member(max_bytes=400)}


def with_entries(*entries: tuple[str | zipfile.ZipInfo, bytes], method=zipfile.ZIP_STORED) -> bytes:
    """A good archive with more entries."""
    buffer = io.BytesIO(pack(GOOD))
    with zipfile.ZipFile(buffer, "a", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def link_to(target: str) -> bytes:
    info = zipfile.ZipInfo("tiny/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return with_entries((info, target.encode()))


def lying_bomb() -> bytes:
    """A member of a million bytes whose two headers claim a hundred."""
    content = pack({**GOOD, "u.data": bytes(1_000_000)})
    return content.replace(struct.pack("<I", 1_000_000), struct.pack("<I", 100))


def encrypted() -> bytes:
    """The good archive with the encryption flag set in every header."""
    content = bytearray(pack(GOOD))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 4)
    return bytes(content)


def flipped_content() -> bytes:
    content = bytearray(with_entries())
    content[len(b"PK") + 28 + len("tiny/u.data") + 5] ^= 0x10
    return bytes(content)


HOSTILE = {
    "parent folder": (with_entries(("../evil", b"x")), "'../evil' leaves its folder"),
    "parent folder, backslashes": (with_entries(("a\\..\\..\\evil", b"x")), "leaves its folder"),
    "absolute path": (with_entries(("/tmp/evil", b"x")), "'/tmp/evil' has an absolute path"),
    "drive letter": (with_entries(("C:/evil", b"x")), "'C:/evil' has an absolute path"),
    "symbolic link": (link_to("/etc/passwd"), "'tiny/link' is a link or a device"),
    "encrypted": (encrypted(), "'tiny/u.data' is encrypted"),
    "missing member": (pack({"u.data": b"1"}), "it has no 'tiny/u.item'"),
    "other folder": (pack(GOOD, inside="other"), "it has no 'tiny/u.data'"),
    "honest bomb": (pack({**GOOD, "u.data": bytes(10**6)}), "'u.data' exceeds 400 bytes"),
    "lying bomb": (lying_bomb(), "is damaged"),
    "other packing": (
        with_entries(("more", b"x"), method=zipfile.ZIP_LZMA),
        "another method than deflate",
    ),
    "cut off": (pack(GOOD)[:-40], "is damaged (File is not a zip file)"),
    "flipped bit": (flipped_content(), "is damaged"),
    "web page": (b"<html>down for maintenance</html>", "is damaged (File is not a zip file)"),
    "empty file": (b"", "is damaged"),
}


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_archive_is_refused(content: bytes, words: str, tmp_path: Path):
    archive, folder = tmp_path / "tiny.zip", tmp_path / "files"
    archive.write_bytes(content)
    folder.mkdir()
    with pytest.raises(SourceError) as caught:
        extract(archive, folder, MEMBERS, inside="tiny")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.rglob("*")} <= {"tiny.zip", "files", *MEMBERS}
    assert all(path.stat().st_size <= 400 for path in folder.iterdir())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_that_comes_twice_is_refused(tmp_path: Path):
    (tmp_path / "tiny.zip").write_bytes(with_entries(("tiny/u.data", b"other rows")))
    with pytest.raises(SourceError, match=r"it has 'tiny/u.data' 2 times"):
        extract(tmp_path / "tiny.zip", tmp_path, MEMBERS, inside="tiny")


def test_only_named_members_are_extracted(tmp_path: Path):
    archive, folder = tmp_path / "tiny.zip", tmp_path / "files"
    archive.write_bytes(with_entries(("tiny/README", b"x"), ("tiny/run.sh", b"x")))
    folder.mkdir()
    extract(archive, folder, MEMBERS, inside="tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == GOOD


def test_member_as_large_as_its_limit_is_taken(tmp_path: Path):
    (tmp_path / "tiny.zip").write_bytes(pack(GOOD))
    extract(tmp_path / "tiny.zip", tmp_path, MEMBERS, inside="tiny")
    assert (tmp_path / "u.data").stat().st_size == 400


def test_damaged_archive_gives_no_other_error_and_no_wrong_byte(tmp_path: Path):
    rng = random.Random(3)
    archive, content = tmp_path / "tiny.zip", pack(GOOD)
    for _ in range(200):
        damaged = bytearray(content)
        for at in rng.sample(range(len(damaged)), rng.choice([1, 1, 3])):
            damaged[at] ^= 1 << rng.randrange(8)
        archive.write_bytes(damaged)
        try:
            extract(archive, tmp_path, MEMBERS, inside="tiny")
        except SourceError:
            continue
        assert {name: (tmp_path / name).read_bytes() for name in GOOD} == GOOD
