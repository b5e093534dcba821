import subprocess

import pytest

from nbhelpers.course import install

LOCK = """# made by a tool
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:ab
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:ba
# a comment
nvidia-nccl-cu13==2.29 ; sys_platform == 'linux' \\
    --hash=sha256:ca
torch==2.13.0 \\
    --hash=sha256:da
torchmetrics==1.9.0 \\
    --hash=sha256:ea
uv==0.13.9 \\
    --hash=sha256:fa
"""


def names(requirements):
    return [line.split("==")[0] for line in requirements]


def test_lock_is_read_by_requirement_with_its_hashes():
    requirements = install.locked(LOCK)
    assert names(requirements) == [
        "numpy",
        "numpy",
        "nvidia-nccl-cu13",
        *["torch", "torchmetrics", "uv"],
    ]
    assert requirements[0].splitlines()[1:] == ["    --hash=sha256:aa \\", "    --hash=sha256:ab"]
    assert install.pinned(requirements, "torch") == "torch==2.13.0 \\\n    --hash=sha256:da"


def test_torch_from_elsewhere_takes_its_cuda_libraries_along_and_nothing_else():
    assert names(install.without_torch(install.locked(LOCK))) == [
        "numpy",
        "numpy",
        "torchmetrics",
        "uv",
    ]


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Commands that would be run, as (words without the program, requirements)."""
    made = []
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    monkeypatch.setattr(install, "LOCK", lock)

    def run(command, requirements):
        made.append((" ".join(map(str, command)), list(requirements)))

    monkeypatch.setattr(install, "_run", run)
    return made


def test_everything_is_checked_by_its_hash(calls):
    install.install("lock", "", "")
    assert all("--require-hashes" in words and "--no-deps" in words for words, _ in calls[:-1])
    assert [names(wanted) for _, wanted in calls] == [["uv"], names(install.locked(LOCK)), []]
    assert "--no-build-isolation" in calls[-1][0]


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (("lock", "cpu", ""), "--torch-backend=cpu"),
        (("lock", "", "a folder"), "--find-links a folder"),
    ],
)
def test_torch_from_elsewhere_is_the_only_file_that_is_not_checked_and_that_is_said(
    calls, given, option, capsys
):
    install.install(*given)
    unchecked = [words for words, _ in calls[:-1] if "--require-hashes" not in words]
    assert len(unchecked) == 1
    assert unchecked[0].endswith(f"{option} torch==2.13.0")
    assert names(calls[1][1]) == ["numpy", "numpy", "torchmetrics", "uv"]
    assert (
        "torch==2.13.0 comes from elsewhere, so its hash is not checked" in capsys.readouterr().out
    )


def test_lock_that_cannot_be_used_is_said_and_the_bounds_take_its_place(calls, monkeypatch, capsys):
    def refuse(*arguments, requirements=()):
        raise install.InstallError("No wheel of implicit for this Python")

    monkeypatch.setattr(install, "_install_locked", refuse)
    install.install("lock", "", "")
    told = capsys.readouterr().out
    assert "No wheel of implicit for this Python" in told
    assert "no file is checked by its hash" in told
    assert "uv>=" in calls[0][0]
    assert calls[1][0].endswith("[course,app,excel,dev]")


@pytest.mark.parametrize(
    "said",
    [
        "error: Hash mismatch for `six==1.17.0`\n\nExpected: ...",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    ],
)
def test_file_with_another_hash_stops_everything(calls, monkeypatch, said):
    def refuse(elsewhere):
        raise install.InstallError(said)

    monkeypatch.setattr(install, "_install_locked", refuse)
    with pytest.raises(install.InstallError, match="a file is not the one that was locked"):
        install.install("lock", "", "")
    assert calls == []


def test_failed_command_tells_what_the_installer_said(monkeypatch):
    done = subprocess.CompletedProcess([], 1, stdout="", stderr="no such package\n")
    monkeypatch.setattr(install.subprocess, "run", lambda *command, **how: done)
    with pytest.raises(install.InstallError, match="no such package"):
        install._run(["pip"], [])


def test_error_is_printed_without_a_traceback(monkeypatch, capsys):
    def refuse(*arguments):
        raise install.InstallError("it went wrong")

    monkeypatch.setattr(install, "install", refuse)
    monkeypatch.setattr("sys.argv", ["install"])
    assert install.main() == 1
    assert capsys.readouterr().err == "error: it went wrong\n"
