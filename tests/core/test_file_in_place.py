import pytest

from nbhelpers.core.file_in_place import replacing


def test_what_was_written_takes_the_place(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text("old")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path):
    with replacing(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt


def test_an_interruption_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
