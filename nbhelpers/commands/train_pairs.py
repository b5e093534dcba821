"""`nbhelpers train-pairs`: matrix factorization of Parquet pairs, in one process or in many."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nbhelpers import __version__
from nbhelpers.commands.progress import Progress
from nbhelpers.core.file_in_place import replacing
from nbhelpers.training.distributed_launch import FailedProcessError, is_launched, launch

WEIGHTS, HISTORY, SETTINGS = "weights.safetensors", "history.csv", "settings.json"
LOSSES = ("bpr", "logistic", "softmax", "hinge", "adaptive-hinge", "warp")
CHOICES = {
    "loss": LOSSES,
    "gradients": ("sparse", "dense"),
    "shard_by": ("rows", "row_groups"),
    "precision": ("float32", "bfloat16"),
}
LAST = Path("checkpoints", "last.ckpt")
MAY_CHANGE = {"epochs", "save_every", "processes"}  # when a run goes on


@dataclass(frozen=True)
class PairRun:
    """What is trained on a folder of pairs, and how.

    Attributes
    ----------
    pairs : str
        A Parquet file with ``user_idx``, ``item_idx`` and perhaps ``weight``, or a folder of them.
    out : str
        A new or empty folder.
    users, items : int
        Rows of the tables; 0 stands for those of the log where ``nbhelpers prepare`` wrote the
        pairs, else for the largest index and one.
    factors, negatives, epochs, batch_size, lr, seed
        Of the model, of each pair, and of the run. A batch is that of all processes together.
    loss : str
        One of ``LOSSES``.
    gradients : {"sparse", "dense"}
        Sparse gradients hold the rows of a batch alone, and no others are sent.
    shard_by : {"rows", "row_groups"}
        See ``fit_distributed``.
    buffer_rows : int
        See ``StreamedPairs``.
    precision : {"float32", "bfloat16"}
    save_every : int, optional
        Steps after which a checkpoint is written within an epoch.
    """

    pairs: str
    out: str
    users: int = 0
    items: int = 0
    factors: int = 32
    negatives: int = 4
    epochs: int = 5
    batch_size: int = 8_192
    lr: float = 5e-3
    loss: str = "bpr"
    gradients: str = "sparse"
    shard_by: str = "rows"
    buffer_rows: int = 1 << 20
    precision: str = "float32"
    save_every: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )

    def arguments(self) -> list[str]:
        """The same for the command line."""
        options = []
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if value:
                options += [f"--{each.name.replace('_', '-')}", str(value)]
        return [self.pairs, *options]


def train_pairs(
    run: PairRun, *, n_processes: int | None = None, quiet: bool = False
) -> dict[str, Any] | None:
    """Train, and write weights, history and settings: all of them or none.

    Until the end ``OUT.run`` beside the folder holds the last checkpoint. The same call goes on
    from it, and may ask for more epochs, or for more processes where rows are shared.

    Parameters
    ----------
    run : PairRun
    n_processes : int, optional
        Processes to start on this machine. Left out, this is one of those that ``torchrun`` has
        started, or the only one.
    quiet : bool

    Returns
    -------
    dict or None
        What was written: ``out``, ``processes``, ``train_loss`` of each epoch. None in a process
        that does not write.

    Raises
    ------
    ValueError
        If the folder is not empty, there are no pairs, the run in ``OUT.run`` is another one, or
        ``fit_distributed`` refuses.
    RuntimeError
        If a process fails or is killed; the message is one line.
    """
    out = Path(run.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already: name a new folder, or delete it")
    if n_processes is not None and n_processes > 1:
        _start(run, n_processes, quiet=quiet)
    elif not _train_here(run, Progress(quiet=quiet)) or is_launched():
        return None
    about = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
    losses = pd.read_csv(out / HISTORY)["train_loss"].tolist()
    return {"out": run.out, "processes": about["processes"], "train_loss": losses}


def load_pairs_model(folder: str | Path) -> Any:
    """The model that ``train_pairs`` has written.

    Parameters
    ----------
    folder : path

    Returns
    -------
    MatrixFactorization
        In evaluation mode; its rows are the indices of the pairs.

    Raises
    ------
    ValueError
        If the folder holds none.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    if not (folder / SETTINGS).is_file():
        raise ValueError(f"{folder} holds no {SETTINGS}: name what nbhelpers train-pairs wrote")
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    model = _model(PairRun(**settings["run"]))
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval()


def _start(run: PairRun, n_processes: int, *, quiet: bool) -> None:
    if "WORLD_SIZE" in os.environ:
        raise ValueError("--processes starts processes itself: leave it out under torchrun")
    if run.batch_size < n_processes:
        raise ValueError(
            f"--batch-size must be at least --processes, got {run.batch_size} and {n_processes}: "
            f"the batch is shared among them"
        )
    _completed(run)  # refuse before anything is started
    said = ["--quiet"] if quiet else []
    try:
        launch(["-m", "nbhelpers", "train-pairs", *run.arguments(), *said], n_processes=n_processes)
    except FailedProcessError as error:
        if not (_folder_of(run) / LAST).is_file():
            raise
        raise RuntimeError(f"{error}; the same command goes on from the last checkpoint") from error


def _train_here(run: PairRun, progress: Progress) -> bool:
    """As one of the processes, and whether it was the one that writes."""
    import torch

    from nbhelpers.training.distributed import fit_distributed
    from nbhelpers.training.processes import this_process

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    process = this_process()
    run = _completed(run)
    folder = _run_folder(run, writes=process.rank == 0)
    model = _model(run)
    tells = progress if process.rank == 0 else Progress(quiet=True)
    history = fit_distributed(
        model,
        _batches(run),
        folder=folder,
        loss=_loss(run),
        n_epochs=run.epochs,
        shard_by=run.shard_by,  # type: ignore[arg-type]
        lr=run.lr,
        callbacks=[_Told(tells, run.epochs)],
        save_every=run.save_every,
        precision=run.precision,  # type: ignore[arg-type]
    )
    if process.rank == 0:
        _write(run, model, history, processes=process.world)
        shutil.rmtree(folder)
    return process.rank == 0


class _Told:
    """A line on each epoch."""

    def __init__(self, progress: Progress, n_epochs: int) -> None:
        self.progress, self.n_epochs = progress, n_epochs

    def on_epoch_end(self, model: Any, history: Any) -> None:
        n_done = len(history.train_loss)
        self.progress.say(
            f"epoch {n_done} of {self.n_epochs}: train_loss {history.train_loss[-1]:.5f}, "
            f"{history.seconds[-1]:.1f} s"
        )


def _completed(run: PairRun) -> PairRun:
    """The run with the sizes of its tables."""
    from nbhelpers.sampling.parquet_read import PairFiles

    files = PairFiles(run.pairs, n_users=run.users or None, n_items=run.items or None)
    if run.users and run.items:
        return run
    users, items = _sizes_of_log(Path(run.pairs)) or (index + 1 for index in files.largest())
    return replace(run, users=run.users or users, items=run.items or items)


def _sizes_of_log(pairs: Path) -> tuple[int, int] | None:
    """Users and items of the whole log, where the pairs are a part that ``prepare`` has written.

    The largest index of one part may be smaller: the last items may stand in another part alone.
    """
    from nbhelpers.data.large_log.prepared import DESCRIPTION, load_prepared

    folder = pairs.resolve().parent
    if not pairs.is_dir() or not (folder / DESCRIPTION).is_file():
        return None
    prepared = load_prepared(folder)
    return prepared.n_users, prepared.n_items


def _run_folder(run: PairRun, *, writes: bool) -> Path:
    """Where checkpoints are, if they are of this run."""
    folder = _folder_of(run)
    about, ours = folder / "run.json", _identity(run)
    if (folder / LAST).is_file() and about.is_file():
        theirs = json.loads(about.read_text(encoding="utf-8"))
        for name, now in ours.items():
            if theirs.get(name) != now:
                raise ValueError(
                    f"{folder} holds another run: {name} was {theirs.get(name)}, now {now}; name "
                    f"another folder, or delete that one to start anew"
                )
    elif writes:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(about) as draft:
            draft.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")
    return folder


def _folder_of(run: PairRun) -> Path:
    out = Path(run.out)
    return out.with_name(f"{out.name}.run")


def _identity(run: PairRun) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if name not in MAY_CHANGE}


def _model(run: PairRun) -> Any:
    import torch

    from nbhelpers.models.matrix_factorization import MatrixFactorization

    with torch.random.fork_rng():
        torch.manual_seed(run.seed)
        sparse = run.gradients == "sparse"
        return MatrixFactorization(run.users, run.items, run.factors, sparse=sparse)


def _batches(run: PairRun) -> Any:
    import torch

    from nbhelpers.sampling.negatives import UniformNegatives
    from nbhelpers.sampling.streaming import StreamedPairs

    return StreamedPairs(
        run.pairs,
        UniformNegatives(run.items),
        batch_size=run.batch_size,
        n_negatives=run.negatives,
        generator=torch.Generator().manual_seed(run.seed),
        n_users=run.users,
        n_items=run.items,
        buffer_rows=run.buffer_rows,
    )


def _loss(run: PairRun) -> Callable[..., Any]:
    from nbhelpers.training import losses

    found: Callable[..., Any] = getattr(losses, f"{run.loss.replace('-', '_')}_loss")
    return partial(found, n_items=run.items) if run.loss == "warp" else found


def _write(run: PairRun, model: Any, history: Any, *, processes: int) -> None:
    """All files in a draft of the folder, which then takes its name."""
    from safetensors.torch import save_file

    out = Path(run.out)
    draft = out.with_name(f".{out.name}.partial-{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        save_file({name: each.cpu() for name, each in model.state_dict().items()}, draft / WEIGHTS)
        (draft / WEIGHTS).chmod(0o644)
        history.full_frame().to_csv(draft / HISTORY)
        about = {"run": asdict(run), "processes": processes, "nbhelpers": __version__}
        (draft / SETTINGS).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        draft.replace(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
