import re

import pytest

from nbhelpers.core import memory
from nbhelpers.core.memory import TooLargeError, free_memory, in_words, require_memory


def test_what_is_free_is_some_part_of_what_there_is():
    assert 0 < free_memory() < 2**50


def test_a_container_with_less_decides(monkeypatch):
    monkeypatch.setattr(memory, "_free_of_machine", lambda: 8 * 10**9)
    monkeypatch.setattr(memory, "_free_of_container", lambda: [3 * 10**9])
    assert free_memory() == 3 * 10**9


def test_exactly_what_is_free_is_allowed(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000)
    require_memory(1_000, what="it", instead="take less")
    with pytest.raises(TooLargeError, match=re.escape("it needs 1.0 kB of memory (1,001 bytes)")):
        require_memory(1_001, what="it", instead="take less")


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (86.4e9, "86.4 GB"),
        (3e20, "300.0 EB"),
    ],
)
def test_bytes_are_said_in_the_unit_of_a_person(n_bytes, words):
    assert in_words(n_bytes) == words
