import pytest

from nbhelpers.course.stored_tables import stored_table


def test_a_table_of_this_folder_comes_first(tmp_path, monkeypatch):
    (tmp_path / "08_seeds_and_budgets_trials.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert stored_table("08_seeds_and_budgets_trials")["a"].tolist() == [1]


def test_elsewhere_the_table_of_the_course_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(stored_table("08_seeds_and_budgets_trials")) == 200


def test_a_table_that_is_nowhere_is_refused():
    with pytest.raises(ValueError, match=r"no strange\.csv"):
        stored_table("strange")
