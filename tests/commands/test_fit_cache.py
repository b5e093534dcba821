import json

import pytest

from nbhelpers.commands.one_protocol.fit_cache import FitCache, bare_code, code_version

KEY = {"model": "EASE", "settings": {"reg": 250.0}, "seed": 0, "part": "test"}
RESULT = {"users": [0, 1], "values": {"ndcg": [0.1 + 0.2, 1 / 3]}}


@pytest.fixture
def cache(tmp_path):
    cache = FitCache(tmp_path)
    cache.put(KEY, RESULT)
    return cache


def file_of(cache):
    (path,) = cache.folder.iterdir()
    return path


def test_a_result_comes_back_to_the_last_bit(cache):
    assert FitCache(cache.folder).get(KEY) == RESULT
    assert cache.refused == []


@pytest.mark.parametrize(
    "change", [{"model": "IALS"}, {"settings": {"reg": 251.0}}, {"seed": 1}, {"part": "valid"}]
)
def test_another_key_finds_nothing(cache, change):
    assert cache.get({**KEY, **change}) is None
    assert cache.refused == []


def spoiled(text):
    entry = json.loads(text)
    other = {**entry, "key": {**entry["key"], "seed": 1}}
    better = json.loads(text)
    better["result"]["values"]["ndcg"][0] = 0.9
    return {
        "half of it": text[: len(text) // 2],
        "nothing": "",
        "no object": "[1, 2]",
        "another key": json.dumps(other),
        "a changed number": json.dumps(better),
        "no checksum": json.dumps({name: entry[name] for name in ("key", "result")}),
    }


@pytest.mark.parametrize(
    "how", ["half of it", "nothing", "no object", "another key", "a changed number", "no checksum"]
)
def test_what_is_not_sound_is_refused_and_made_again(cache, how):
    path = file_of(cache)
    path.write_text(spoiled(path.read_text())[how])
    assert cache.get(KEY) is None
    assert cache.refused == [path.name]
    cache.put(KEY, RESULT)
    assert cache.get(KEY) == RESULT


def test_bytes_that_are_no_text_are_refused(cache):
    file_of(cache).write_bytes(b"\xff\xfe\x00")
    assert cache.get(KEY) is None


def test_the_file_of_another_key_is_not_believed_under_a_false_name(cache):
    path = file_of(cache)
    other = {**KEY, "seed": 1}
    cache.put(other, {"users": []})
    (moved,) = set(cache.folder.iterdir()) - {path}
    moved.replace(path)
    assert cache.get(KEY) is None


def test_a_number_that_is_not_finite_is_not_stored(cache):
    with pytest.raises(ValueError, match="not JSON compliant"):
        cache.put({**KEY, "seed": 2}, {"ndcg": float("nan")})
    assert cache.get({**KEY, "seed": 2}) is None


def test_words_do_not_change_the_version_of_code_but_numbers_do():
    source = 'def f(x):\n    """Twice."""\n    return 2 * x  # why\n'
    assert bare_code(source) == bare_code("def f(x):\n\n    return (2*x)\n")
    assert bare_code(source) != bare_code(source.replace("2", "3"))


def test_lists_and_ratings_have_versions_of_their_own():
    assert code_version("NDCG@10") != code_version("MSE")
