"""Logs in the formats of public data sets are read as what they are, or asked about."""

import pandas as pd
import pytest

from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError
from tests.data.ratings_file.shapes import SHAPES

ASKED = [name for name, shape in SHAPES.items() if shape.said]


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read(name, tmp_path):
    shape = SHAPES[name]
    read = read_ratings(shape.write(tmp_path), **shape.said).frame
    pd.testing.assert_frame_equal(read, pd.DataFrame(shape.expected), check_dtype=False)


@pytest.mark.parametrize("name", ASKED)
def test_shape_that_is_not_clear_is_asked_about(name, tmp_path):
    source = SHAPES[name].write(tmp_path)
    with pytest.raises(InvalidRatingsError) as caught:
        read_ratings(source)
    first = next(iter(SHAPES[name].said))
    assert f"{first}=" in str(caught.value)


@pytest.mark.parametrize("name", ASKED)
def test_question_is_answered_on_the_command_line_too(name, tmp_path):
    with pytest.raises(InvalidRatingsError, match="on the command line: --"):
        read_ratings(SHAPES[name].write(tmp_path))


def test_there_are_enough_shapes():
    assert len(SHAPES) >= 60
