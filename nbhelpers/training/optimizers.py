"""Optimizers for models whose parts learn at different speeds, or from sparse gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau

Decay = float | Mapping[str, float]
MakeOptimizer = Callable[[nn.Module], Optimizer]
Schedule = Callable[[Optimizer, int], LRScheduler]
LR = 5e-3  # default learning rate of all loops and Lightning modules


class JointOptimizer(Optimizer):
    """Several optimizers as one: a single backward pass, then each takes its step.

    Whatever takes an optimizer takes this one: a schedule moves the learning rate of every group
    of every member, and the state holds that of all.

    Parameters
    ----------
    optimizers : sequence of Optimizer
        At least one; no parameter may belong to two.

    Attributes
    ----------
    optimizers : list of Optimizer
    param_groups : list of dict
        Those of the members, one after another.

    Raises
    ------
    ValueError
        If there is none, or two share a parameter.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        owned = [weight for member in self.optimizers for weight in _weights(member)]
        if not owned:
            raise ValueError("a joint optimizer needs at least one optimizer with parameters")
        if len({id(weight) for weight in owned}) < len(owned):
            raise ValueError("a parameter belongs to two optimizers: it would take two steps")
        super().__init__(owned, defaults={})
        self._share_groups()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every member; ``closure``, if any, is called once, before them."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for member in self.optimizers:
            member.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every member."""
        for member in self.optimizers:
            member.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """States of the members, in order."""
        return {"members": [member.state_dict() for member in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state."""
        for member, state in zip(self.optimizers, state_dict["members"], strict=True):
            member.load_state_dict(state)
        self._share_groups()

    def _share_groups(self) -> None:
        """The very groups of the members, so that a new learning rate reaches them."""
        self.param_groups = [group for member in self.optimizers for group in member.param_groups]


def adam(
    model: nn.Module,
    *,
    lr: float = LR,
    wd: Decay = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Optimizer:
    """Adam for all parameters of a model; sparse tables get the Adam that spares idle rows.

    Parameters
    ----------
    model : nn.Module
    lr : float
    wd : float, or mapping of str to float
        Decoupled weight decay as in AdamW; or one for each pattern of parameter names, such as
        ``{"layers.*": 1.0, "*": 0.3}``, where the first that fits counts and what none fits does
        not decay. A sparse table cannot decay: the rows at rest would have to shrink too.
    betas : tuple of float
        How slowly the running means of the gradient and of its square forget.
    eps : float
        Added to the root of the mean square.

    Returns
    -------
    Optimizer
        AdamW, SparseAdam, or both joined.

    Raises
    ------
    ValueError
        If the model has no parameter, a pattern fits none, or a sparse table is to decay.

    Examples
    --------
    >>> optimizer = adam(nn.Linear(3, 1), lr=0.01, wd={"weight": 0.1})
    >>> [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    [(0.01, 0.1), (0.01, 0.0)]
    """
    named = _named(model)
    for pattern in wd if isinstance(wd, Mapping) else ():
        if not any(fnmatchcase(name, pattern) for name in named):
            raise ValueError(
                f"the decay of {pattern!r} fits no parameter: name some of {', '.join(named)}"
            )
    settings = {"lr": lr, "betas": betas, "eps": eps}
    return _joined(_adam(named, sparse_tables(model), wd, **settings))


def adam_l2(
    model: nn.Module,
    *,
    lr: float = LR,
    wd: float,
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-5,
) -> Optimizer:
    """Adam whose decay is an L2 penalty in the loss: rarely met rows of a table shrink most.

    Parameters
    ----------
    model : nn.Module
        Its gradients must be dense.
    lr : float
    wd : float
        The gradient of each parameter grows by ``wd`` times the parameter.
    betas, eps
        As for ``adam``.

    Returns
    -------
    Optimizer

    References
    ----------
    Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization, algorithm 2, where it is
    set against AdamW, https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> adam_l2(nn.Linear(3, 1), wd=2e-4).defaults["weight_decay"]
    0.0002
    """
    weights = list(_named(model).values())
    settings: dict[str, Any] = {"lr": lr, "weight_decay": wd, "betas": betas, "eps": eps}
    return torch.optim.Adam(weights, **settings, fused=_all_whole(weights) or None)


def _adamw(by_decay: Mapping[float, list[Tensor]], **settings: Any) -> Optimizer:
    """Torch's AdamW of weights that decay at different rates, in one pass over all of them."""
    whole = all(_all_whole(part) for part in by_decay.values())
    groups = [{"params": part, "weight_decay": wd} for wd, part in by_decay.items()]
    first = next(iter(by_decay))  # of all weights, where they decay alike
    return torch.optim.AdamW(groups, weight_decay=first, fused=whole or None, **settings)


def _all_whole(weights: Sequence[Tensor]) -> bool:
    """Whether no weight has gaps in memory, where torch's fused step would hit the gaps."""
    return all(weight.is_contiguous() for weight in weights)


def _decay_of(name: str, wd: Decay) -> float:
    """Weight decay of the parameter of a name."""
    if not isinstance(wd, Mapping):
        return wd
    return next((decay for pattern, decay in wd.items() if fnmatchcase(name, pattern)), 0.0)


def factors_and_biases(
    model: nn.Module, *, lr: float, bias_lr: float, wd: float = 0.0
) -> JointOptimizer:
    """Adam for the factors and plain gradient descent for the biases, each with its own rate.

    A bias is the shortest way to a lower loss: it moves an item up for everybody. With a low
    ``bias_lr`` the factors come first, and what they cannot say is left to the biases. Mind the
    units: a step of Adam is about ``lr`` long whatever the gradient, one of gradient descent is
    ``bias_lr`` times the gradient of the mean loss, so equal rates make far slower biases.

    Parameters
    ----------
    model : nn.Module
        A parameter is a bias if its name says "bias".
    lr, wd : float
        Learning rate and decoupled weight decay of the factors; none for sparse tables.
    bias_lr : float
        Learning rate of the biases.

    Returns
    -------
    JointOptimizer
        One backward pass serves both.

    Raises
    ------
    ValueError
        If the model lacks biases or other parameters, or a sparse table is to decay.

    Examples
    --------
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> optimizer = factors_and_biases(MatrixFactorization(2, 3, 4), lr=0.01, bias_lr=0.5)
    >>> [(type(member).__name__, member.defaults["lr"]) for member in optimizer.optimizers]
    [('AdamW', 0.01), ('SGD', 0.5)]
    """
    named = _named(model)
    biases = [weight for name, weight in named.items() if "bias" in name]
    factors = {name: weight for name, weight in named.items() if "bias" not in name}
    if not biases or not factors:
        raise ValueError(
            f"the model must have biases and other parameters, got {len(biases)} and "
            f"{len(factors)}: {', '.join(list(named)[:3])}"
        )
    members = _adam(factors, sparse_tables(model), wd, lr=lr)
    return JointOptimizer([*members, torch.optim.SGD(biases, lr=bias_lr)])


def descend(loss: Tensor, optimizer: Optimizer, scheduler: LRScheduler | None) -> None:
    """One step against the gradient of a loss, shape (); then the schedule moves on."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if scheduler is not None:
        scheduler.step()


def sparse_tables(model: nn.Module) -> set[str]:
    """Names of the parameters whose gradients are sparse."""
    return {
        f"{name}.weight".removeprefix(".")
        for name, part in model.named_modules()
        if isinstance(part, nn.Embedding | nn.EmbeddingBag) and part.sparse
    }


def _adam(
    named: dict[str, Tensor], sparse: set[str], wd: Decay, **settings: Any
) -> list[Optimizer]:
    """AdamW for the dense parameters and SparseAdam for the sparse ones, if there are any."""
    idle = [weight for name, weight in named.items() if name in sparse]
    dense: dict[float, list[Tensor]] = {}
    for name, weight in named.items():
        if name not in sparse:
            dense.setdefault(_decay_of(name, wd), []).append(weight)
        elif _decay_of(name, wd):
            raise ValueError(f"sparse tables cannot decay, got wd={wd}: set 0, or build them dense")
    members: list[Optimizer] = []
    if dense:
        members.append(_adamw(dense, **settings))
    if idle:
        members.append(torch.optim.SparseAdam(idle, **settings))
    return members


def _joined(members: list[Optimizer]) -> Optimizer:
    return members[0] if len(members) == 1 else JointOptimizer(members)


def _named(model: nn.Module) -> dict[str, Tensor]:
    named: dict[str, Tensor] = dict(model.named_parameters())
    if not named:
        raise ValueError("the model has no parameter to train")
    return named


def _weights(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def one_cycle(optimizer: Optimizer, n_steps: int) -> LRScheduler:
    """Learning rate that climbs for a quarter of the steps, then falls to nearly nothing.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rate becomes the maximum.
    n_steps : int
        Batches of the whole run.

    Returns
    -------
    LRScheduler

    References
    ----------
    Smith and Topin (2018), Super-Convergence, https://arxiv.org/abs/1708.07120

    Examples
    --------
    >>> from torch import nn
    >>> optimizer = adam(nn.Linear(3, 1), lr=0.1)
    >>> scheduler, rates = one_cycle(optimizer, n_steps=8), []
    >>> for _ in range(8):
    ...     rates.append(round(optimizer.param_groups[0]["lr"], 3))
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.004, 0.1, 0.093, 0.075, 0.05, 0.025, 0.007, 0.0]
    """
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=n_steps,
        pct_start=0.25,
        final_div_factor=4000.0,
        cycle_momentum=not optimizer.defaults.keys().isdisjoint({"betas", "momentum"}),
    )


def on_plateau(
    optimizer: Optimizer,
    n_steps: int,
    *,
    factor: float = 0.1,
    patience: int = 1,
    mode: Literal["min", "max"] = "max",
) -> ReduceLROnPlateau:
    """Learning rate that falls when the first metric of ``validate`` stops getting better.

    The loop looks at it after each epoch, not after each batch. The metric must come from
    validation rows: a rate that follows test rows has learned from them.

    Parameters
    ----------
    optimizer : Optimizer
    n_steps : int
        Not used: a plateau does not depend on how long the run is.
    factor : float
        Between 0 and 1: the rate is multiplied by it.
    patience : int
        Epochs in a row without a new best value that are still waited for; at the next one the
        rate falls, and the count starts anew.
    mode : {"max", "min"}
        "max" where a high value is good, as in ``fit_ranking``; "min" for the loss of ``fit``.

    Returns
    -------
    ReduceLROnPlateau

    Raises
    ------
    ValueError
        If ``factor`` or ``patience`` is out of its range.

    Examples
    --------
    >>> optimizer = adam(nn.Linear(3, 1), lr=0.1)
    >>> scheduler, rates = on_plateau(optimizer, 0, factor=0.5), []
    >>> for metric in [0.1, 0.2, 0.2, 0.1, 0.3]:
    ...     scheduler.step(metric)
    ...     rates.append(optimizer.param_groups[0]["lr"])
    >>> rates
    [0.1, 0.1, 0.1, 0.05, 0.05]
    """
    if not 0 < factor < 1:
        raise ValueError(f"factor must lie between 0 and 1, got {factor}")
    if patience < 0:
        raise ValueError(f"patience must be at least 0, got {patience}")
    return ReduceLROnPlateau(
        optimizer, mode=mode, factor=factor, patience=patience, threshold=0.0, threshold_mode="abs"
    )
