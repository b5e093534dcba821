import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from nbhelpers.core.threads import on_threads


@pytest.fixture(params=[1, 2, 3])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_tasks", [0, 1, 2, 50])
def test_each_task_is_done_once(n_threads, n_tasks):
    done = []
    on_threads(done.append, range(n_tasks))
    assert sorted(done) == list(range(n_tasks))


def test_as_many_threads_as_torch_has_work_together(n_threads):
    """No task ends before all threads hold one; each computes on one thread of torch."""
    together = threading.Barrier(n_threads, timeout=30)
    seen = set()

    def work(_):
        together.wait()
        seen.add((threading.get_ident(), torch.get_num_threads()))

    on_threads(work, range(2 * n_threads))
    assert len(seen) == n_threads
    assert {each for _, each in seen} == {1}


def test_threads_of_torch_are_as_before(n_threads):
    on_threads(lambda _: None, range(5))
    assert torch.get_num_threads() == n_threads
    with ThreadPoolExecutor(1) as pool:  # a new thread asks torch, not the thread that began it
        assert pool.submit(torch.get_num_threads).result() == n_threads


def test_a_single_task_is_done_by_the_caller(n_threads):
    seen = []
    on_threads(lambda _: seen.append((threading.get_ident(), torch.get_num_threads())), [0])
    assert seen == [(threading.get_ident(), n_threads)]


@pytest.mark.usefixtures("n_threads")
def test_an_error_reaches_the_caller():
    def work(task):
        if task == 3:
            raise ValueError("task 3")

    with pytest.raises(ValueError, match="task 3"):
        on_threads(work, range(10))


def test_few_tasks_are_in_memory_at_a_time(n_threads):
    taken, done, ahead = [], [], []

    def tasks():
        for task in range(30):
            taken.append(task)
            ahead.append(len(taken) - len(done))
            yield task

    on_threads(done.append, tasks())
    assert max(ahead) <= n_threads + 2
