import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbhelpers.data.ratings_file.read import describe_counts, read_ratings
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
PLAIN = {"zeros": "keep", "missing_values": ()}  # every number is a rating
HEADER = "user_id,item_id,rating,timestamp\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, name="mine.csv", **options):
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return read_ratings(tmp_path / name, **options).frame

    return write_and_read


# ---- files that are fine ------------------------------------------------------------------------


def test_plain_csv_has_the_fixed_columns_and_types(read):
    ratings = read(HEADER + "1,20,3.5,964982703\n2,10,4,964981247\n")
    assert ratings.to_dict("list") == {
        "user_id": [1, 2],
        "item_id": [20, 10],
        "rating": [3.5, 4.0],
        "timestamp": [964982703, 964981247],
    }
    assert ratings.dtypes.astype(str).tolist() == ["int64", "int64", "float64", "int64"]


def test_report_names_the_file_and_no_folder(tmp_path):
    (tmp_path / "mine.csv").write_text("user_id,item_id,rating\n1,1,3\n1,2,4\n2,1,5\n")
    report = read_ratings(tmp_path / "mine.csv").report
    assert report.name == "mine.csv"
    assert (report.n_rows, report.n_users, report.n_items) == (3, 2, 2)
    assert str(tmp_path) not in str(report)


def test_file_without_ratings_is_a_log_of_interactions(read):
    assert list(read("user_id,item_id\n1,5\n").columns) == ["user_id", "item_id"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_from_the_header(read, delimiter):
    ratings = read("user_id,item_id,rating\n1,2,3\n".replace(",", delimiter))
    assert ratings.to_numpy().tolist() == [[1, 2, 3]]


def test_delimiter_inside_a_quoted_header_does_not_count(read):
    ratings = read('"a,b,c,d";user_id;item_id\n"x,y";1;2\n')
    assert ratings.to_numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbfuser_id,item_id\n1,2\n", id="byte order mark"),
        pytest.param(b"user_id,item_id\r\n1,2\r\n", id="CRLF"),
        pytest.param(b"user_id,item_id\r1,2\r", id="CR"),
        pytest.param(b"user_id,item_id\n1,2", id="no last line break"),
        pytest.param(b"\n\nuser_id,item_id\n\n1,2\n\n\n", id="blank lines"),
        pytest.param(b"user_id,item_id\n1,2\n   \n", id="a last line of spaces"),
        pytest.param(b'"user_id","item_id"\n"1","2"\n', id="all quoted"),
        pytest.param(b"user_id, item_id\n 1 , 2 \n", id="spaces around cells"),
        pytest.param(b"user_id,item_id,\n1,2,\n", id="a delimiter at the end of lines"),
        pytest.param(b'user_id,item_id,note\n1,2,"a ""b"", c\nd"\n', id="quotes and break in text"),
        pytest.param(b'user_id,item_id,note\n1,2,7" single\n', id="a quote inside a bare cell"),
    ],
)
def test_harmless_variants_read_alike(read, content):
    ratings = read(content)
    assert ratings.to_dict("list") == {"user_id": [1], "item_id": [2]}


def test_latin_1_is_read_when_it_is_named(read):
    ratings = read("user_id,item_id\nAndré,2\n".encode("latin-1"), encoding="latin-1")
    assert ratings["user_id"].tolist() == ["André"]


def test_byte_order_mark_outvotes_a_named_encoding(read):
    ratings = read("\ufeffuser_id,item_id\nAndré,2\n".encode(), encoding="latin-1")
    assert ratings.to_dict("list") == {"user_id": ["André"], "item_id": [2]}


def test_utf_16_is_read_when_it_is_named(read):
    assert read("user_id,item_id\n1,2\n".encode("utf-16"), encoding="utf-16").shape == (1, 2)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (["7", "8"], [7, 8]),
        (["-7", "0"], [-7, 0]),
        (["007", "7"], ["007", "7"]),
        (["7.0", "7"], ["7.0", "7"]),
        (["-0", "0"], ["-0", "0"]),
        (["1e3", "1000"], ["1e3", "1000"]),
        (["9223372036854775807", "1"], [9223372036854775807, 1]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["ann", "Ann"], ["ann", "Ann"]),
        (["٣", "3"], ["٣", "3"]),
    ],
)
def test_ids_are_integers_only_when_all_are_written_so(read, written, read_as):
    ratings = read("user_id,item_id\n" + "".join(f"{text},1\n" for text in written))
    assert ratings["user_id"].tolist() == read_as


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("964982703", 964982703),
        ("964982703.9", 964982703),
        ("2000-07-30", 964915200),
        ("2000-07-30 18:45:03", 964982703),
        ("2000-07-30T18:45:03.9Z", 964982703),
        ("2000-07-30T20:45:03+02:00", 964982703),
    ],
)
def test_times_become_unix_seconds(read, written, seconds):
    assert read(f"user_id,item_id,timestamp\n1,2,{written}\n")["timestamp"].tolist() == [seconds]


def test_ratings_at_both_ends_of_the_range_pass(read):
    ratings = read("user_id,item_id,rating\n1,1,0.5\n1,2,5\n", rating_range=(0.5, 5))
    assert ratings["rating"].tolist() == [0.5, 5.0]


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_parquet_reads_like_csv(tmp_path, suffix):
    frame = pd.DataFrame({"user_id": [3, 1], "item_id": ["x", "y"], "rating": [1.5, 2.0]})
    frame.to_parquet(tmp_path / f"mine{suffix}")
    pd.testing.assert_frame_equal(read_ratings(tmp_path / f"mine{suffix}").frame, frame)


def test_frame_is_not_changed_and_gets_a_fresh_index():
    frame = pd.DataFrame({"item_id": ["2"], "user_id": [1.0], "rating": ["3"]}, index=[9])
    before = frame.copy(deep=True)
    checked = read_ratings(frame).frame
    pd.testing.assert_frame_equal(frame, before)
    assert checked.index.tolist() == [0]
    assert checked.iloc[0].tolist() == [1, 2, 3.0]


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(["2000-07-30 18:45:03"], dtype="datetime64[s]"),
        pd.Series(pd.to_datetime(["2000-07-30 20:45:03+02:00"])),
        pd.Series([pd.Timestamp("2000-07-30 18:45:03")], dtype=object),
    ],
    ids=["naive means UTC", "a zone is respected", "objects"],
)
def test_frame_may_hold_pandas_times(times):
    frame = pd.DataFrame({"user_id": [1], "item_id": [1], "timestamp": times})
    assert read_ratings(frame).frame["timestamp"].tolist() == [964982703]


def test_categories_are_read_by_value():
    frame = pd.DataFrame({"user_id": [30, 10], "item_id": ["b", "a"]}).astype("category")
    assert read_ratings(frame).frame.to_numpy().tolist() == [[30, "b"], [10, "a"]]


@pytest.mark.parametrize("dtype", ["uint64", object])
def test_whole_numbers_beyond_64_bits_become_text(dtype):
    frame = pd.DataFrame({"user_id": pd.Series([2**63, 1], dtype=dtype), "item_id": [1, 2]})
    assert read_ratings(frame).frame["user_id"].tolist() == ["9223372036854775808", "1"]


def test_largest_float_ids_that_are_exact_become_integers():
    frame = pd.DataFrame({"user_id": [2.0**53 - 1, 1.0 - 2**53], "item_id": [1, 2]})
    assert read_ratings(frame).frame["user_id"].tolist() == [9007199254740991, -9007199254740991]


def test_counts_in_words():
    frame = pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "rating": [1.0, 2.0]})
    assert describe_counts(frame) == "2 ratings by 1 user of 2 items"


# ---- files that are refused ---------------------------------------------------------------------


def case(content, message, name="mine.csv", **options):
    return content, message, name, options


BAD_FILES = {
    "empty file": case("", "mine.csv: the file is empty"),
    "blank lines only": case("\n \n\n", "the file is empty"),
    "header only": case(HEADER, "no rows: at least one rating is needed"),
    "broken Parquet": case("PAR1 no PAR1", "no readable Parquet file", "mine.parquet"),
    "empty Parquet": case("", "the file is empty", "mine.parquet"),
    "CSV called Parquet": case(HEADER, "no readable Parquet file", "mine.parquet"),
    "no user column": case("film,item_id\nx,1\n", "no column user_id among film, item_id"),
    "only one column": case("user_id\n1\n", "no column item_id among user_id"),
    "no header": case(
        "196,242,3\n186,302,3\n", "there is no header, and more than one column could be the user"
    ),
    "column twice": case(
        "user_id,user_id,item_id\n1,2,3\n",
        "2 columns could be the user, user_id, user_id: say which",
    ),
    "unknown encoding": case(HEADER, "encoding 'klingon' cannot be used", encoding="klingon"),
    "cell too many": case(HEADER + "1,2,3,4\n1,3,3,4,5\n", "row 2 has 5 cells, the header has 4"),
    "cell too few": case(HEADER + "1,2,3\n", "row 1 has 3 cells, the header has 4"),
    "quote left open": case('user_id,item_id\n1,2\n1,3\n1,"4\n1,5\n', "row 3: a quote is opened"),
    "quote left open early": case('user_id,item_id\n"1,2\n1,3\n', "check its delimiter and quotes"),
    "user missing": case(HEADER + "1,2,3,4\n,3,3,4\n", "row 2, column user_id: the value is miss"),
    "item missing": case(HEADER + "1,,3,4\n", "row 1, column item_id: the value is missing"),
    "item written nan": case(HEADER + "1,NaN,3,4\n", "row 1, column item_id: the value is missing"),
    "line break in id": case('user_id,item_id\n"1\n2",3\n', "row 1, column user_id: '1\\n2' holds"),
    "rating missing": case(
        HEADER + "1,2,,4\n1,3,,4\n", "rating: the value is missing (2 such rows)"
    ),
    "rating NaN": case(HEADER + "1,2,nan,4\n", "row 1, column rating: the value is missing"),
    "rating text": case(
        HEADER + "1,2,3,4\n1,3,good,4\n", "row 2, column rating: 'good' is not a nu"
    ),
    "rating infinite": case(HEADER + "1,2,inf,4\n", "row 1, column rating: 'inf' is not a number"),
    "rating overflows": case(HEADER + "1,2,1e999,4\n", "'1e999' is not a finite number"),
    "rating underscored": case(HEADER + "1,2,1_0,4\n", "'1_0' is not a number"),
    "rating above": case(
        HEADER + "1,2,5,4\n1,3,5.5,4\n",
        "row 2, column rating: '5.5' is outside rating_range (0.5, 5)",
        rating_range=(0.5, 5),
    ),
    "rating below": case(HEADER + "1,2,0,4\n", "'0' is outside", rating_range=(1, 5)),
    "time missing": case(HEADER + "1,2,3,\n", "row 1, column timestamp: the value is missing"),
    "time text": case(
        HEADER + "1,2,3,noon\n",
        "timestamp: 'noon' is not a number (times are read as s): write Unix",
    ),
    "time scientific": case(HEADER + "1,2,3,8.8E+08\n", "'8.8E+08' is not a number"),
    "time negative": case(HEADER + "1,2,3,-1\n", "'-1' is outside 1970-2100"),
    "date before 1970": case(HEADER + "1,2,3,1969-12-31\n", "'1969-12-31' is outside 1970-2100"),
    "date of year 1": case(HEADER + "1,2,3,0001-01-01\n", "'0001-01-01' is "),
    "date American": case(
        HEADER + "1,2,3,12/04/1997\n",
        "in which the day or the month may stand first: say time_format='DD/MM/YYYY'",
    ),
    "date impossible": case(HEADER + "1,2,3,1997-02-30\n", "is not a date of the calendar"),
    "date word": case(
        HEADER + "1,2,3,1997-12-04\n1,3,3,today\n", "row 2, column timestamp: 'today'"
    ),
    "pair twice": case(
        HEADER + "1,2,3,4\n1,3,3,4\n1,2,5,6\n",
        "1 repeated, e.g. rows 1 and 3 of those kept (user 1, item 2): say repeats='last'",
        repeats="refuse",
    ),
    "old Excel": case(b"\xd0\xcf\x11\xe0 more", "an old Excel file: save it as .xlsx or .csv"),
    "pickle": case(b"\x80\x04.", "a pickle may run code and is not opened", "mine.pkl"),
    "text called Excel": case(HEADER, "no readable .xlsx file", "mine.xlsx"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_refused_with_a_reason(read, name):
    content, message, file_name, options = BAD_FILES[name]
    with pytest.raises(InvalidRatingsError) as caught:
        read(content, file_name, **options)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file_name}: ")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidRatingsError, match=r"mine\.csv: no such file"):
        read_ratings(tmp_path / "mine.csv")


def test_folder_is_refused(tmp_path):
    with pytest.raises(InvalidRatingsError, match="this is a folder: name one file in it"):
        read_ratings(tmp_path)


@pytest.mark.parametrize("low_to_high", [(5, 1), (3, 3), (float("nan"), 5)])
def test_rating_range_must_rise(low_to_high):
    frame = pd.DataFrame({"user_id": [1], "item_id": [1]})
    with pytest.raises(ValueError, match="rating_range must be"):
        read_ratings(frame, rating_range=low_to_high)


BAD_COLUMNS = {
    "ids with halves": ("user_id", [1.0, 2.5], r"row 2, column user_id: 2\.5 is not a whole"),
    "ids infinite": ("user_id", [1.0, -np.inf], "row 2, column user_id: -inf is a float too large"),
    "ids beyond float": ("user_id", [1.0, 1e17], "1e.17 is a float too large to be exact"),
    "ids that float rounds": (
        "user_id",
        [2.0**53 - 1, float(2**53 + 1)],
        "row 2, column user_id: 9007199254740992.0 is a float too large to be exact: write ids",
    ),
    "negative ids that float rounds": (
        "user_id",
        [1.0 - 2**53, -(2.0**53)],
        "row 2, column user_id: -9007199254740992.0 is a float too large",
    ),
    "ids missing": ("user_id", [1.0, None], "row 2, column user_id: the value is missing"),
    "ids missing, text": ("item_id", ["a", None], "row 2, column item_id: the value is missing"),
    "ids empty text": ("item_id", ["a", ""], "row 2, column item_id: the value is missing"),
    "ids boolean": ("item_id", [True, False], "item_id holds boolean values"),
    "ids of two kinds": ("item_id", [1, "1"], "item_id holds mixed-integer values"),
    "ids as dates": ("item_id", pd.to_datetime(["2000-01-01"] * 2), "holds datetime64 values"),
    "ids as lists": ("item_id", [[1], [2]], "item_id holds mixed .lists. values"),
    "rating infinite": ("rating", [1.0, np.inf], "row 2, column rating: inf is not a finite"),
    "rating missing": ("rating", [1.0, np.nan], "row 2, column rating: the value is missing"),
    "rating boolean": ("rating", [True, False], "rating holds boolean values: numbers are needed"),
    "rating too long": (
        "rating",
        pd.Series([1, 10**400], dtype=object),
        "is not a finite number",
    ),
    "time missing": ("timestamp", pd.to_datetime(["2000-01-01", None]), "row 2, column timestamp"),
    "time infinite": ("timestamp", [1.0, np.inf], "inf is outside 1970-2100"),
    "time boolean": ("timestamp", [True, False], "timestamp holds boolean values"),
}


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_bad_frame_is_refused_with_a_reason(name):
    column, values, message = BAD_COLUMNS[name]
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}).assign(**{column: values})
    with pytest.raises(InvalidRatingsError, match=message):
        read_ratings(frame)


def test_frame_without_rows_is_refused():
    with pytest.raises(InvalidRatingsError, match="no rows"):
        read_ratings(pd.DataFrame({"user_id": [], "item_id": []}))


# ---- anything at all ----------------------------------------------------------------------------


def assert_valid(ratings):
    order = ["user_id", "item_id", "rating", "timestamp"]
    assert list(ratings.columns) == [name for name in order if name in ratings]
    assert len(ratings) > 0
    assert not ratings.isna().to_numpy().any()
    assert not ratings.duplicated(["user_id", "item_id"]).any()
    for name in ("user_id", "item_id"):
        is_text = pd.api.types.infer_dtype(ratings[name]) == "string"
        assert is_text or ratings[name].dtype == np.int64
    if "rating" in ratings:
        assert ratings["rating"].dtype == np.float64
        assert np.isfinite(ratings["rating"]).all()
    if "timestamp" in ratings:
        assert ratings["timestamp"].dtype == np.int64


def assert_valid_or_refused(path, encoding="utf-8"):
    try:
        ratings = read_ratings(path, encoding=encoding, repeats="refuse").frame
    except InvalidRatingsError:
        return
    assert_valid(ratings)


@FUZZ
@given(
    st.binary(max_size=200),
    st.sampled_from([".csv", ".tsv", ".parquet"]),
    st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-7", "hex"]),
)
def test_any_bytes_give_ratings_or_a_refusal(folder, data, suffix, encoding):
    path = folder / f"bytes{suffix}"
    path.write_bytes(data)
    assert_valid_or_refused(path, encoding)


CELL = st.one_of(
    st.sampled_from(["1", "2", "007", "", '"', '"1"', "3.5", "3,5", "nan", "1e400", "-0", "\x02"]),
    st.sampled_from(["2000-01-01", "2000-13-01", "2000-01-01T25", "20000101", "now", "\x00", " "]),
    st.text(max_size=5),
    st.integers(-(2**65), 2**65).map(str),
)
NAMES = st.sampled_from(["user_id", "item_id", "rating", "timestamp", "userId", "movie", "", "x"])


@FUZZ
@given(
    st.lists(NAMES, min_size=1, max_size=5),
    st.lists(st.lists(CELL, min_size=1, max_size=5), max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_any_cells_give_ratings_or_a_refusal(folder, names, rows, delimiter, line_break):
    path = folder / "cells.csv"
    names = ["user_id", "item_id", *names]
    lines = [delimiter.join((row * len(names))[: len(names)]) for row in rows]
    text = line_break.join([delimiter.join(names), *lines])
    path.write_bytes(text.encode())
    assert_valid_or_refused(path)


VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.binary(max_size=2),
    st.datetimes(),
    st.dates(),
    st.decimals(allow_nan=False),
    st.lists(st.integers(), max_size=2),
)
COLUMN = st.one_of(
    st.lists(VALUE, min_size=3, max_size=3),
    st.lists(st.integers(0, 2), min_size=3, max_size=3),
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.text(alphabet="017.a-", max_size=3), min_size=3, max_size=3),
    st.lists(st.datetimes(), min_size=3, max_size=3),
)


@FUZZ
@given(st.dictionaries(NAMES, COLUMN), COLUMN, COLUMN, st.sampled_from(["given", "category"]))
def test_any_frame_gives_ratings_or_a_refusal(columns, users, items, kind):
    frame = pd.DataFrame({"user_id": users, "item_id": items, **columns}, dtype=object)
    frame = frame.infer_objects() if kind == "given" else frame.map(str).astype("category")
    try:
        ratings = read_ratings(frame, repeats="refuse").frame
    except InvalidRatingsError:
        return
    assert_valid(ratings)
    assert len(ratings) == 3


WORD = st.text(string.ascii_letters + 'éß☃ ,;|"\t.', min_size=1, max_size=6).map(
    lambda text: f"u{text}u"  # a letter at both ends: cells are trimmed, and no word means missing
)


@st.composite
def valid_ratings(draw):
    ids = draw(st.sampled_from([st.integers(-(2**63), 2**63 - 1), WORD]))
    pairs = draw(st.lists(st.tuples(ids, ids), min_size=1, max_size=8, unique=True))
    users, items = zip(*pairs, strict=True)
    size = {"min_size": len(pairs), "max_size": len(pairs)}
    finite = st.floats(allow_nan=False, allow_infinity=False)
    rating = draw(st.lists(finite, **size))
    # From 1971 on, so that no time looks like a date written without dashes.
    timestamp = draw(st.lists(st.integers(31_536_000, 4_102_444_799), **size))
    frame = pd.DataFrame({"user_id": users, "item_id": items, "rating": rating})
    return frame.assign(timestamp=np.array(timestamp, dtype=np.int64))


@FUZZ
@given(valid_ratings())
def test_round_trip_through_csv_is_exact(folder, ratings):
    ratings.to_csv(folder / "round.csv", index=False)
    pd.testing.assert_frame_equal(
        read_ratings(folder / "round.csv", **PLAIN).frame, ratings, check_exact=True
    )


@FUZZ
@given(valid_ratings())
def test_round_trip_through_parquet_is_exact(folder, ratings):
    ratings.to_parquet(folder / "round.parquet")
    path = folder / "round.parquet"
    pd.testing.assert_frame_equal(read_ratings(path, **PLAIN).frame, ratings, check_exact=True)
