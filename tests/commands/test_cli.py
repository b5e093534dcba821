import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from nbhelpers.__main__ import main
from nbhelpers.commands.cli import PANELS, app

runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
OWN = ["inspect", "compare", "train", "recommend", "similar", "fold-in", "evaluate"]
OWN += ["prepare", "train-pairs"]
FOR_PEOPLE = ["app", "export-html"]  # no --json: one serves a page, the other writes one
COURSE = ["fetch", "doctor", "run", "run-one", "sync", "format", "cells", "copy", "pages"]
COURSE += ["results", "reproduce-table"]


def run(*arguments):
    return runner.invoke(app, [str(each) for each in arguments])


def test_help_tells_your_own_data_from_the_course():
    text = run("--help").output
    own, course = text.partition("The course")[::2]
    assert "Your own data" in own
    for name in [*OWN, *FOR_PEOPLE]:
        assert f" {name} " in own
    for name in COURSE:
        assert f" {name} " in course
    assert sum(map(len, PANELS.values())) == len(OWN + FOR_PEOPLE + COURSE)


@pytest.mark.parametrize("name", OWN)
def test_help_of_a_command_has_examples(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert f"nbhelpers {name} " in done.output.partition("Examples:")[2]
    assert "--json" in done.output
    assert "--quiet" in done.output


NAMED = ["--user", "--item", "--rating", "--weight", "--time", "--event"]
POLICIES = ["--repeats", "--zeros", "--missing-values", "--on-bad", "--min-rating"]


@pytest.mark.parametrize("flag", [*NAMED, *POLICIES])
@pytest.mark.parametrize("name", ["inspect", "compare", "train", "evaluate", "prepare"])
def test_columns_and_policies_can_be_said_to_every_command_with_a_file(name, flag):
    assert f"{flag} " in run(name, "--help").output


def test_inspect_prints_one_object(own_file):
    done = run("inspect", own_file, "--json")
    content = json.loads(done.stdout)
    assert {"kind", "n_rows", "n_users", "n_items", "columns", "dropped", "notes"} <= set(content)
    assert content["n_rows"] == 1500


def test_columns_by_number_and_policies_reach_the_reader(titled, tmp_path):
    path = tmp_path / "odd.csv"
    odd = titled.assign(rating=titled["rating"].where(titled.index > 0, 99.0))
    odd[["rating", "item_id", "timestamp", "user_id"]].to_csv(path, index=False, header=False)
    said = ["--user", "4", "--item", "2", "--rating", "1", "--time", "3", "--header", "no"]
    done = run("inspect", path, "--json", *said, "--missing-values", "99")
    content = json.loads(done.stdout)
    assert (content["n_users"], content["n_items"]) == (80, 40)
    assert content["n_rows"] == 1499
    assert sum(content["dropped"].values()) == 1


def test_a_dash_leaves_a_column_out(own_file):
    done = run("inspect", own_file, "--json", "--time", "-")
    assert json.loads(done.stdout)["split"]["name"] == "random"


def test_from_a_file_to_lists(own_file, tmp_path):
    compared, mine, lists = tmp_path / "compared", tmp_path / "mine", tmp_path / "lists.parquet"
    few = ["--model", "popularity", "--model", "EASE", "--trials", "2"]
    done = run("compare", own_file, *few, "--out", compared, "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert {each["model"] for each in found["models"]} == {"popularity", "EASE"}
    done = run("train", own_file, "--out", mine, "--model", "EASE", "--comparison", compared)
    assert f"EASE in {mine}" in done.stdout
    done = run("recommend", mine, "--user", "7", "-k", "3", "--json")
    answer = json.loads(done.stdout)
    assert answer["user_id"] == 7
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3]
    assert {"rank", "item_id", "title", "score"} <= set(answer["items"][0])
    assert run("recommend", mine, "--all", "--out", lists).exit_code == 0
    assert pd.read_parquet(lists)["user_id"].nunique() == 80
    assert len(json.loads(run("similar", mine, "--item", "9", "--json").stdout)["items"]) == 10
    new = json.loads(run("fold-in", mine, "--likes", "9,3", "-k", "4", "--json").stdout)
    assert new["likes"] == [9, 3]
    assert len(new["items"]) == 4


def test_a_file_of_six_rows_still_gives_a_list(tmp_path):
    path, mine = tmp_path / "tiny.csv", tmp_path / "mine"
    path.write_text("user,item\nann,heat\nann,up\nbob,heat\nbob,big\ncat,heat\ncat,alien\n")
    done = run("train", path, "--out", mine)
    assert done.exit_code == 0, done.stderr
    assert "too small to hold rows out" in done.stderr
    answer = json.loads(run("recommend", mine, "--user", "ann", "--json").stdout)
    assert {item["item_id"] for item in answer["items"]} == {"big", "alien"}
    assert run("compare", path).exit_code == 1


def test_evaluate_gives_rows_out_and_takes_lists_in(own_file, tmp_path):
    known, lists = tmp_path / "known.csv", tmp_path / "lists.csv"
    done = run("evaluate", own_file, "--training", known, "--json")
    assert json.loads(done.stdout) == {"training": str(known)}
    users = pd.read_csv(known)["user_id"].unique()
    pairs = pd.MultiIndex.from_product([users, range(1, 41)], names=["uid", "iid"])
    pairs.to_frame(index=False).assign(est=0.5).to_csv(lists, index=False)
    done = run("evaluate", own_file, "--lists", lists, "--trials", "1", "--json", "-q")
    models = {each["model"] for each in json.loads(done.stdout)["models"]}
    assert models == {"these lists", "popularity", "recent popularity", "last items", "ItemKNN"}
    named = ["--lists-columns", "user=uid,item=nope"]
    done = run("evaluate", own_file, "--lists", lists, *named)
    assert done.exit_code == 1
    assert "a column of the item is required" in done.stderr


def test_quiet_leaves_the_error_stream_empty(own_file):
    done = run("compare", own_file, "--model", "popularity", "-q")
    assert done.stderr == ""
    assert "the honest choice: popularity" in done.stdout
    loud = run("compare", own_file, "--model", "popularity")
    assert "cost, timed on a sample" in loud.stderr
    assert "columns         user = user_id" in loud.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare"],
        ["nope"],
        ["train", "FILE"],
        ["recommend", "DIR"],
        ["recommend", "DIR", "--user", "7", "--all"],
        ["recommend", "DIR", "--all"],
        ["evaluate", "FILE"],
        ["compare", "FILE", "-k", "0"],
        ["results"],
        ["results", "--write"],
    ],
)
def test_what_is_misspelt_ends_with_two(arguments, own_file, ease):
    named = {"FILE": str(own_file), "DIR": str(ease)}
    assert main([named.get(each, each) for each in arguments]) == 2


def test_what_is_refused_ends_with_one_line_and_one(own_file, ease, tmp_path, capsys):
    nothing = tmp_path / "nothing.csv"
    for arguments, part in (
        (["inspect", str(nothing)], "nothing.csv"),
        (["compare", str(own_file), "--model", "SVD"], "no model is called 'SVD'"),
        (["compare", str(own_file), "--user", "nobody"], "'nobody' names no column"),
        (["similar", str(ease), "--item", "99"], "items are unknown, e.g. 99"),
        (["recommend", str(tmp_path), "--user", "7"], "model.json"),
        (["inspect", str(own_file), "--event-weights", "view"], "view=1,buy=5"),
    ):
        assert main([*arguments, "-q"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert part in said.err
        assert "Traceback" not in said.err


def test_ctrl_c_ends_with_130_and_no_half_written_folder(own_file, tmp_path, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("nbhelpers.commands.model_folder.save_model", interrupted)
    out = tmp_path / "mine"
    done = run("train", own_file, "--out", out, "--model", "popularity")
    assert done.exit_code == 130
    assert "interrupted" in done.stderr
    assert list(tmp_path.iterdir()) == []


def process(*arguments, **options):
    command = [sys.executable, "-m", "nbhelpers", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_real_interruption_during_a_comparison(sent, code, own_file, tmp_path):
    out = tmp_path / "mine"
    running = process("train", own_file, "--out", out, "--trials", "6")
    line = ""
    while "cost, timed" not in line:
        line = running.stderr.readline()
        assert line, "it ended before the race began"
    running.send_signal(sent)
    _, error = running.communicate(timeout=120)
    assert running.returncode == code
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_reader_who_has_had_enough_sees_no_traceback(ease):
    with process("recommend", ease, "--user", "7", "-k", "30", "--explain") as running:
        running.stdout.close()
        error = running.stderr.read()
    assert "Traceback" not in error


def test_help_imports_no_library_of_numbers():
    script = (
        "import sys; from nbhelpers.__main__ import main; main(['--help']);"
        "heavy = {'torch', 'pandas', 'numpy', 'pyarrow', 'duckdb', 'gradio'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_console_script_and_module_are_one():
    from importlib.metadata import entry_points

    (script,) = [
        each
        for each in entry_points(group="console_scripts", name="nbhelpers")
        if each.value.startswith("nbhelpers")
    ]
    assert script.load() is main


def test_hostile_titles_are_shown_as_text(tmp_path, ratings):
    path = tmp_path / "films.csv"
    hostile = "<img src=x onerror=alert(1)>[bold]\x1b[31m"
    ratings.assign(title=hostile).to_csv(path, index=False)
    mine = tmp_path / "mine"
    done = run("train", path, "--out", mine, "--model", "popularity", "-q", "--title", "title")
    assert done.exit_code == 0, done.stderr
    done = run("recommend", mine, "--user", "7")
    assert "<img src=x onerror=alert(1)>[bold]" in done.stdout
    assert "\x1b" not in done.stdout


def test_it_works_without_a_home_and_from_another_folder(own_file, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "HOME"}
    environment.setdefault("PYTHONPATH", os.getcwd())
    running = process("inspect", own_file, "--json", "-q", cwd=tmp_path, env=environment)
    out, _ = running.communicate(timeout=120)
    assert json.loads(out)["n_users"] == 80


def test_prepare_writes_shards_and_says_what_was_counted(own_file, titled, tmp_path):
    out = tmp_path / "pairs"
    done = run("prepare", own_file, "--out", out, "--split", "last", "--parts", "2", "--json", "-q")
    content = json.loads(done.stdout)
    assert content["n_rows"] == {"train": 1500 - 80, "valid": 80}
    assert content["settings"]["split"] == "each user's last row"
    held_out = pd.read_parquet(out / "valid")
    latest = titled.groupby("user_id")["timestamp"].max()
    assert sorted(held_out["timestamp"]) == sorted(latest)
    assert (
        "rows of the log"
        in run("prepare", own_file, "--out", tmp_path / "again", "--split", "none").output
    )


def test_prepare_reads_columns_as_they_are_named(tmp_path):
    (tmp_path / "log.tsv").write_text("7\tx\t5\n7\ty\t1\n8\tx\t4\n")
    named = ["--user", "1", "--item", "2", "--rating", "3", "--header", "no", "--min-rating", "4"]
    done = run("prepare", tmp_path / "log.tsv", "--out", tmp_path / "p", "--split", "none", *named)
    assert done.exit_code == 0, done.output
    assert pd.read_parquet(tmp_path / "p" / "items.parquet")["item_id"].tolist() == ["x"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "time"], "split must be one of last, random, date, none, got 'time'"),
        (["--split", "random"], "split random needs the share for validation"),
        (["--split", "date"], "split date needs the date"),
        (["--split", "last", "--valid-share", "0.1"], "shares go with split random"),
        (["--split", "random", "--valid-share", "1.5"], "must lie between 0 and 1"),
    ],
)
def test_prepare_needs_the_choices_of_a_split(own_file, tmp_path, options, message):
    done = run("prepare", own_file, "--out", tmp_path / "pairs", *options)
    assert done.exit_code == 1
    assert message in done.output
    assert list(tmp_path.iterdir()) == []
