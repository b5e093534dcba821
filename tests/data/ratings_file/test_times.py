"""Times in any unit, order and language of files become Unix seconds, or are asked about."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError

FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# 2000-07-30 18:45:03 UTC, a Sunday, and 2015-11-03 04:05:06 UTC, a Tuesday
TIMES = [964982703, 1446523506]


def read(values, **options):
    frame = pd.DataFrame({"user_id": range(len(values)), "item_id": 1, "when": values})
    return read_ratings(frame, time="when", **options)


def written(form):
    return [datetime.fromtimestamp(time, UTC).strftime(form) for time in TIMES]


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9], ids=["s", "ms", "us", "ns"])
@pytest.mark.parametrize("as_text", [False, True])
def test_unit_is_told_by_magnitude(unit, as_text):
    values = [time * unit + unit // 3 for time in TIMES]
    log = read([str(value) for value in values] if as_text else values)
    assert log.frame["timestamp"].tolist() == TIMES


@FUZZ
@given(
    st.lists(st.integers(10**8, 4 * 10**9), min_size=1, max_size=6),
    st.sampled_from([1, 10**3, 10**6, 10**9]),
)
def test_every_time_since_1973_has_one_unit(times, unit):
    compact = all(19000101 <= time <= 21001231 for time in times)
    if unit == 1 and compact:
        return
    assert read([time * unit for time in times]).frame["timestamp"].tolist() == times


FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M:%S.123456",
    "%Y/%m/%d %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%d-%m-%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%B %d, %Y %H:%M:%S",
    "%a %b %d %H:%M:%S +0000 %Y",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%d/%b/%Y:%H:%M:%S +0000",
    "%Y%m%d%H%M%S",
]


@pytest.mark.parametrize("form", FORMATS)
def test_format_is_told_by_what_is_there(form):
    assert read(written(form)).frame["timestamp"].tolist() == TIMES


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d-%b-%Y", "%d-%b-%y", "%m %d, %Y", "%m/%d/%y"]
)
def test_date_alone_is_midnight(form):
    days = [time - time % 86_400 for time in TIMES]
    assert read(written(form)).frame["timestamp"].tolist() == days


def test_date_without_dashes_may_be_a_number():
    assert read([20000730, 20151103]).frame["timestamp"].tolist() == [964915200, 1446508800]


@pytest.mark.parametrize(
    ("zone", "seconds"), [("+02:00", 7200), ("-0530", -19800), ("Z", 0), ("+00:00", 0)]
)
def test_zones_are_respected(zone, seconds):
    times = read([f"2000-07-30T18:45:03{zone}"]).frame["timestamp"].tolist()
    assert times == [964982703 - seconds]


@pytest.mark.parametrize("separator", ["/", "-", "."])
def test_day_and_month_that_may_be_swapped_are_asked_about(separator):
    values = [text.replace("/", separator) for text in ("03/01/2020", "04/12/2020")]
    with pytest.raises(AmbiguousRatingsError, match="time_format='DD/MM/YYYY'"):
        read(values)
    day_first = read(values, time_format="DD/MM/YYYY").frame["timestamp"].tolist()
    assert day_first == [1578009600, 1607040000]
    month_first = read(values, time_format="MM/DD/YYYY").frame["timestamp"].tolist()
    assert month_first == [1583020800, 1586649600]


@FUZZ
@given(
    st.lists(st.dates(datetime(1971, 1, 1).date(), datetime(2068, 12, 31).date()), min_size=1),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]),
)
def test_swapped_dates_are_never_guessed(dates, form):
    values = [date.strftime(form) for date in dates]
    midnights = [int(datetime(*date.timetuple()[:3], tzinfo=UTC).timestamp()) for date in dates]
    try:
        found = read(values).frame["timestamp"].tolist()
    except AmbiguousRatingsError:
        assert all(date.day <= 12 for date in dates)
        return
    assert found == midnights


def test_both_orders_in_one_column_are_refused():
    with pytest.raises(InvalidRatingsError, match="'13/01/2020' and '01/14/2020'"):
        read(["13/01/2020", "01/14/2020"])


def test_format_may_be_said_as_strptime_has_it():
    log = read(["30|07|2000 18h45", "03|11|2015 04h05"], time_format="%d|%m|%Y %Hh%M")
    assert log.frame["timestamp"].tolist() == [964982700, 1446523500]


def test_unknown_format_is_refused():
    with pytest.raises(ValueError, match="time_format must be one of"):
        read([1, 2], time_format="DMY")


def test_unit_may_be_said():
    assert read([TIMES[0] * 1000], time_format="ms").frame["timestamp"].tolist() == TIMES[:1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([964982703, 964982703000, 0], "row 2, column when: 964982703000 is outside 1970-2100"),
        (["2000-07-30", "30 July"], "row 2, column when: '30 July' is not a date"),
        (["2000-02-30", "2000-02-28"], "row 1, column when: '2000-02-30' is not a date"),
        (["964982703", "8.8E+08"], "row 2, column when: '8.8E\\+08' is not a number"),
        (["12:30", "13:30"], "row 1, column when: '12:30' is not a number"),
        (["30 July 2000", "31 Fooby 2000"], "row 2, column when: '31 Fooby 2000' is not"),
        ([True, False], "holds boolean values"),
        (["1969-12-31", "2000-01-01"], "row 1, column when: '1969-12-31' is outside 1970-2100"),
    ],
)
def test_time_that_is_none_is_refused(values, message):
    with pytest.raises(InvalidRatingsError, match=message):
        read(values)


def test_small_numbers_keep_their_order_and_are_noted():
    log = read([1, 2, 711])
    assert log.frame["timestamp"].tolist() == [1, 2, 711]
    assert any("they may be no dates, only an order" in note for note in log.report.notes)


def test_time_may_be_left_out():
    frame = pd.DataFrame({"user_id": [1], "item_id": [1], "time": ["noon"]})
    assert list(read_ratings(frame, time=False).frame) == ["user_id", "item_id"]
