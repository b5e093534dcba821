"""What holds the project together: arrows, dependencies, workflow, README, and what stays out."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nbhelpers
from nbhelpers.course.documents import PICTURE, first_picture, refreshed
from nbhelpers.course.install import locked
from nbhelpers.data.datasets.synthetic import make_ratings

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
MODULES = sorted((ROOT / "nbhelpers").rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")

# A rating flows data -> sampling -> models -> training -> evaluation -> serving -> app. Each stage
# stands on core and data; only app, commands, course and __main__ put stages together.
MAY_IMPORT = {
    "core": set(),
    "data": {"core"},
    "sampling": {"core", "data"},
    "models": {"core", "data"},
    "training": {"core", "data", "sampling"},
    "evaluation": {"core", "data"},
    "serving": {"core", "data"},
    "teaching": {"core", "data"},
}
TOGETHER = {"app", "commands", "course"}
EVERYTHING = {*MAY_IMPORT, *TOGETHER}


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def stage(path):
    parts = path.relative_to(ROOT / "nbhelpers").parts
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_a_stage_imports_only_what_its_folder_may(path):
    used = {name.split(".")[1] for name in imports(path) if name.startswith("nbhelpers.")}
    assert used <= MAY_IMPORT.get(stage(path), EVERYTHING) | {stage(path)}


def test_every_folder_is_a_stage_and_no_file_name_comes_twice():
    folders = {path.parent.name for path in (ROOT / "nbhelpers").glob("*/__init__.py")}
    assert folders == MAY_IMPORT.keys() | TOGETHER
    stems = [path.stem for path in MODULES if path.stem != "__init__"]
    assert {stem for stem in stems if stems.count(stem) > 1} == set()


def test_modules_import_each_other_without_a_cycle():
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in MODULES
    }
    arrows = {name: set(imports(path)) & names.keys() for name, path in names.items()}
    while arrows:
        leaves = [name for name, targets in arrows.items() if not targets & arrows.keys()]
        assert leaves, f"a cycle runs through {sorted(arrows)}"
        for name in leaves:
            del arrows[name]


def test_import_stays_light():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, nbhelpers; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_init_files_export_nothing():
    for path in MODULES:
        if path.name == "__init__.py":
            _, *more = ast.parse(path.read_text(encoding="utf-8")).body
            kept = ["__version__"] if path.parent.name == "nbhelpers" else []
            assert [ast.unparse(line).split(" = ")[0] for line in more] == kept, path


def test_version_stands_in_one_place_and_in_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == nbhelpers.__version__
    assert PROJECT["dynamic"] == ["version"]


def requirements():
    extras = PROJECT["optional-dependencies"].values()
    return [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]


def test_conda_environment_has_the_bounds_of_the_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert set(environment) == {"name", "channels", "dependencies"}
    *conda, pip = environment["dependencies"]
    assert set(pip) == {"pip"}
    assert conda == [f"python{PROJECT['requires-python']}", "pip>=24"]
    listed = [line for line in pip["pip"] if line != "-e ."]
    assert pip["pip"][0] == "-e ."
    assert sorted(map(_parsed, listed)) == sorted(map(_parsed, requirements()))


def _parsed(line):
    wanted = Requirement(line)
    return wanted.name.lower(), str(wanted.specifier)


@pytest.mark.parametrize("line", requirements())
def test_every_dependency_has_a_lower_and_an_upper_bound(line):
    operators = {bound.operator for bound in Requirement(line).specifier}
    assert {">=", "<"} <= operators


def test_poisoned_lightning_releases_are_banned():
    line = next(line for line in requirements() if line.startswith("pytorch-lightning"))
    specifier = Requirement(line).specifier
    assert "2.6.1" in specifier
    assert "2.6.2" not in specifier
    assert "2.6.3" not in specifier


LOCKED = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def locked_versions(name, python):
    """Versions of a package that the lock gives to a Python; one, or none."""
    for block in LOCKED:
        wanted = Requirement(block.split(" \\")[0])
        environment = {"python_full_version": f"{python}.9", "sys_platform": "linux"}
        if canonicalize_name(wanted.name) == canonicalize_name(name) and (
            wanted.marker is None or wanted.marker.evaluate(environment)
        ):
            yield str(wanted.specifier).removeprefix("==")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("line", requirements())
def test_lock_has_one_version_of_each_requirement_inside_its_bounds(line, python):
    wanted = Requirement(line)
    (version,) = locked_versions(wanted.name, python)
    assert version in wanted.specifier


def test_lock_pins_everything_and_has_hashes_only():
    for block in LOCKED:
        first, *hashes = [line.strip().removesuffix(" \\") for line in block.splitlines()]
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", first), first
        assert hashes, first
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), first


def test_lock_names_no_poisoned_release_and_no_torchvision():
    first_lines = {block.split(" \\")[0] for block in LOCKED}
    assert not {f"pytorch-lightning=={bad}" for bad in ("2.6.2", "2.6.3")} & first_lines
    assert not any(line.startswith(("torchvision", "lightning==")) for line in first_lines)
    assert all("+" not in line for line in first_lines), "a local build has hashes of its own"


def test_third_party_imports_are_declared():
    declared = {Requirement(line).name.lower().replace("-", "_") for line in requirements()}
    known = (
        declared
        | {"faiss", "ipython", "nbhelpers", "tests", "traitlets", "yaml"}
        | sys.stdlib_module_names
    )
    used = {name.split(".")[0] for path in MODULES for name in imports(path)}
    assert {name for name in used if name.lower() not in known} == set()


def test_only_the_named_modules_import_the_frameworks():
    for path in MODULES:
        used = {name.split(".")[0] for name in imports(path)}
        assert "fastai" not in used
        assert "pytorch_lightning" not in used or path.stem.startswith(("lightning", "distributed"))


WORKFLOWS = {
    path.stem: path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").iterdir()
}


def test_workflow_runs_the_readme_command_everywhere():
    jobs = yaml.safe_load(WORKFLOWS["ci"])["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert {"ubuntu-latest", "macos-latest"} <= set(matrix["os"])
    assert "3.11" in matrix["python"]
    assert [step["run"] for step in jobs["test"]["steps"] if "run" in step] == ["make test"]
    assert [step["run"] for step in jobs["gpu"]["steps"] if "run" in step] == [
        "make test DEVICE=cuda"
    ]
    assert "self-hosted" in jobs["gpu"]["runs-on"]


def test_weekly_job_runs_other_processors_threads_loads_and_versions():
    jobs = yaml.safe_load(WORKFLOWS["weekly"])["jobs"]
    matrix = jobs["machines"]["strategy"]["matrix"]
    assert matrix == {
        "capability": ["default", "avx2", "avx512"],
        "threads": [1, 2],
        "busy": ["", "1"],
    }
    assert jobs["machines"]["steps"][-1]["run"] == "make machines SLOW=1"
    assert jobs["versions"]["strategy"]["matrix"]["resolution"] == ["highest", "lowest-direct"]


def test_machines_are_tried_one_by_one_and_the_red_ones_named(tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/machines", tmp_path / ".ci")
    recipe = 'test:\n\t@test "$$ATEN_CPU_CAPABILITY $$OMP_NUM_THREADS" != "default 2"\n'
    (tmp_path / "Makefile").write_text(recipe)
    done = subprocess.run(
        [tmp_path / ".ci/machines"],
        env={**os.environ, "CAPABILITIES": "default avx0", "BUSY": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "has no avx0, left out" in done.stdout
    red = [line for line in done.stdout.splitlines() if line.startswith("machines: red")]
    assert red == ["machines: red: default, 2 thread(s), busy"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_reads_only_and_pins_its_actions(name):
    workflow = WORKFLOWS[name]
    assert yaml.safe_load(workflow)["permissions"] == {"contents": "read"}
    used = re.findall(r"uses: (\S+)", workflow)
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)


def test_ci_calls_make_test_and_nothing_else():
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert [line for line in script.splitlines() if "make" in line] == ["exec make test"]


DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])


@each_document
def test_tables_of_a_document_are_those_of_the_files(path):
    text = path.read_text(encoding="utf-8")
    start = "../" if path.parent.name == "docs" else ""
    assert refreshed(text, ROOT / "notebooks", start=start) == text


def test_picture_of_the_readme_is_that_of_the_first_lesson():
    assert (ROOT / PICTURE).read_bytes() == first_picture(ROOT / "notebooks")[1]


def test_readme_commands_are_verbs_of_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.M)) <= targets
    verbs = {"help", "setup", "data", "run", "check", "unit", "test", "machines", "lab", "sync"}
    assert verbs | {"lock", "clean"} <= targets


def test_testing_leaves_the_honest_table_alone():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "FRESH := $(CURDIR)/.pytest_cache/" in makefile
    recipe = makefile.partition("\ntest:")[2].partition("\n\n")[0].splitlines()
    assert [line.strip() for line in recipe if "FRESH" in line] == [
        '@rm -f "$(FRESH)"',
        '@CF_RESULTS="$(FRESH)" $(PYTEST) $(UNIT) $(NOTEBOOKS)',
        '@$(BIN)/python -m nbhelpers results --compare "$(FRESH)" notebooks/honest_table.csv',
    ]


def anchors(path):
    """Anchors of the headings of a document, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}


@each_document
def test_links_of_a_document_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:|#)([^)#]+)#?([^)]*)\)", text):
        assert (path.parent / target).exists(), target
        if anchor and target.endswith(".md"):
            assert anchor in anchors(path.parent / target), f"{target}#{anchor}"


def test_address_of_the_repository_stands_in_one_place():
    address = SETTINGS["tool"]["course"]["repository"]
    if address:
        holders = [path for path in tracked() if address in path.read_text(errors="replace")]
        assert {path.name for path in holders if path.suffix != ".ipynb"} == {"pyproject.toml"}


HOSTS = ["py" + "pi.org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian"]


def test_no_machine_path_or_registry_host_is_committed():
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"(?<![\w.\"'(|:<])/(?:root|work|farm)/", text), path
        assert not any(host in text for host in HOSTS), path


def test_no_data_or_model_file_is_committed():
    names = {"u.data", "u.item", "u.user", "ratings.csv", "ratings.dat", "movies.csv"}
    suffixes = {".ckpt", ".pt", ".pth", ".pkl", ".joblib", ".safetensors", ".zip", ".whl"}
    for path in tracked():
        assert path.name not in names
        assert path.suffix not in suffixes
        assert path.stat().st_size < 1_500_000, path


def test_readme_example_runs_on_a_file_of_ones_own(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    make_ratings(60, 40, 900, rng=0).ratings.to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "hit_rate" in printed
    assert re.search(r"^9 +10 ", printed, re.M), "a list of ten"
