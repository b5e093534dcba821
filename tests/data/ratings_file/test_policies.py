"""What becomes of zeros, sentinels, events, repeats, bad rows and twins: as said, and reported."""

import html

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError

FUZZ = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, **options):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "log.csv").write_bytes(data)
        return read_ratings(tmp_path / "log.csv", **options)

    return write_and_read


# ---- zeros and sentinels ------------------------------------------------------------------------

HALF_ZERO = "user_id,item_id,rating\n1,1,0\n1,2,4\n2,1,0\n2,3,5\n"


def test_many_zeros_must_be_spoken_about(read):
    with pytest.raises(AmbiguousRatingsError, match=r"2 of 4 values of the rating are 0 \(50%\)"):
        read(HALF_ZERO)


def test_zeros_that_mean_no_stars_stay_as_interactions(read):
    log = read(HALF_ZERO, zeros="implicit")
    assert log.frame["rating"].fillna(-1).tolist() == [-1, 4, -1, 5]
    assert "2 rows kept without a rating (NaN)" in log.report.notes
    assert log.report.ranges["rating"] == [4.0, 5.0]


def test_zeros_may_be_dropped_and_are_counted(read):
    log = read(HALF_ZERO, zeros="drop")
    assert log.frame["rating"].tolist() == [4, 5]
    assert log.report.dropped == {"rating is 0": 2}
    assert (log.report.n_rows_read, log.report.n_rows) == (4, 2)


def test_zeros_may_be_ratings(read):
    assert read(HALF_ZERO, zeros="keep").frame["rating"].tolist() == [0, 4, 0, 5]


def test_few_zeros_are_kept_and_noted(read):
    lines = [f"1,{k},{0 if k == 3 else 4}" for k in range(20)]
    log = read("\n".join(["user_id,item_id,rating", *lines]))
    assert log.frame["rating"].tolist().count(0) == 1
    assert (
        "1 rating of 0 is kept: say zeros=... (--zeros implicit) if it is none" in log.report.notes
    )


def test_zeros_between_negative_ratings_are_ratings(read):
    log = read("user_id,item_id,rating\n1,1,0\n1,2,-4\n2,1,0\n2,2,6\n")
    assert log.frame["rating"].tolist() == [0, -4, 0, 6]


@pytest.mark.parametrize(
    ("others", "sentinel"),
    [((1, 5), -1), ((0.5, 10), -1), ((-9.8, 9.9), 99), ((1, 100), 999), ((3, 4), -99)],
)
def test_value_that_may_stand_for_none_is_asked_about(read, others, sentinel):
    rows = "".join(f"1,{k},{value}\n" for k, value in enumerate((*others, sentinel)))
    with pytest.raises(AmbiguousRatingsError, match=rf"missing_values=\({sentinel},\)"):
        read("user_id,item_id,rating\n" + rows)
    dropped = read("user_id,item_id,rating\n" + rows, missing_values=(sentinel,))
    assert dropped.frame["rating"].tolist() == list(others)
    assert dropped.report.dropped == {"rating is a missing value": 1}
    kept = read("user_id,item_id,rating\n" + rows, missing_values=())
    assert kept.frame["rating"].tolist() == [*others, sentinel]


@pytest.mark.parametrize("values", [(-1, -2, 3), (97, 98, 99), (-1, 0, -0.5), (99,)])
def test_value_among_its_like_is_a_rating(read, values):
    rows = "".join(f"1,{k},{value}\n" for k, value in enumerate(values))
    assert read("user_id,item_id,rating\n" + rows).frame["rating"].tolist() == list(values)


def test_missing_values_may_be_interactions(read):
    text = "user_id,item_id,rating\n1,1,-1\n1,2,4\n1,3,\n"
    log = read(text, missing_values=(-1,), unrated="implicit")
    assert log.frame["rating"].fillna(0).tolist() == [0, 4, 0]


def test_empty_rating_is_refused_unless_spoken_about(read):
    text = "user_id,item_id,rating\n1,1,\n1,2,4\n"
    with pytest.raises(InvalidRatingsError, match="say unrated='drop' or 'implicit'"):
        read(text)
    assert read(text, unrated="drop").report.dropped == {"no rating": 1}


def test_ninety_nine_plays_are_plays(read):
    assert read("user_id,item_id,plays\n1,1,99\n1,2,4\n").frame["weight"].tolist() == [99, 4]


def test_negative_weights_are_noted(read):
    notes = read("CustomerID,StockCode,Quantity\n1,1,-6\n1,2,4\n1,3,2\n").report.notes
    assert "1 weight below 0 kept (goods sent back?): check them" in notes


# ---- repeats ------------------------------------------------------------------------------------

REPEATED = "user_id,item_id,weight,timestamp\n7,1,2,300\n8,1,1,100\n7,1,5,200\n7,2,1,100\n"


@pytest.mark.parametrize(
    ("repeats", "weights", "times"),
    [
        ("keep", [2, 1, 5, 1], [300, 100, 200, 100]),
        ("last", [2, 1, 1], [300, 100, 100]),
        ("first", [1, 5, 1], [100, 200, 100]),
        ("sum", [7, 1, 1], [300, 100, 100]),
        ("max", [5, 1, 1], [300, 100, 100]),
    ],
)
def test_repeats_go_by_policy(read, repeats, weights, times):
    log = read(REPEATED, repeats=repeats)
    assert log.frame["weight"].tolist() == weights
    assert log.frame["timestamp"].tolist() == times
    assert log.report.policies["repeats"].startswith("1 of 4 rows repeats a pair of user and item")


def test_rows_may_be_counted(read):
    log = read("user_id,item_id\nann,1\nbob,1\nann,1\n", repeats="count")
    assert log.frame.to_dict("list") == {
        "user_id": ["ann", "bob"],
        "item_id": [1, 1],
        "weight": [2.0, 1.0],
    }


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        ("refuse", r"1 repeated, e\.g\. rows 1 and 3 of those kept \(user 7, item 1\)"),
        ("count", "makes weights of its own"),
    ],
)
def test_repeats_that_cannot_be_merged_are_refused(read, repeats, message):
    with pytest.raises(InvalidRatingsError, match=message):
        read(REPEATED, repeats=repeats)


@pytest.mark.parametrize("repeats", ["sum", "max"])
def test_rows_without_weights_cannot_be_added_up(read, repeats):
    with pytest.raises(InvalidRatingsError, match="weights"):
        read("user_id,item_id\n1,1\n1,1\n", repeats=repeats)


PAIRS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 9)), min_size=1)


@FUZZ
@given(PAIRS, st.sampled_from(["last", "first", "sum", "max"]))
def test_merged_repeats_are_those_of_a_plain_loop(pairs, repeats):
    merged = {}
    for user, item, weight in pairs:
        old = merged.get((user, item))
        choices = {
            "last": weight,
            "first": old,
            "sum": (old or 0) + weight,
            "max": max(old or 0, weight),
        }
        merged[user, item] = weight if old is None else choices[repeats]
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id", "weight"])
    log = read_ratings(frame, repeats=repeats)
    found = dict(
        zip(
            zip(log.frame["user_id"], log.frame["item_id"], strict=True),
            log.frame["weight"],
            strict=True,
        )
    )
    assert found == merged
    assert log.report.n_users == frame["user_id"].nunique()
    assert log.report.n_items == frame["item_id"].nunique()


# ---- events -------------------------------------------------------------------------------------

EVENTS = "visitorid,itemid,event\n1,1,view\n1,1,buy\n2,1,view\n2,2,cart\n3,1,\n"


def test_all_events_are_kept_and_counted(read):
    log = read(EVENTS)
    assert log.frame["event"].fillna("").tolist() == ["view", "buy", "view", "cart", ""]
    assert log.report.policies["events"].startswith("view (2), buy (1), cart (1): all are kept")


def test_events_of_bad_rows_do_not_count(read):
    rows = EVENTS + ",4,view\n,5,sale\n"
    log = read(rows, on_bad="skip")
    assert log.report.dropped == {"rejected as bad": 2}
    assert log.report.policies["events"].startswith("view (2), buy (1), cart (1): all are kept")
    weighted = read(rows, on_bad="skip", event_weights={"view": 1, "buy": 5})
    lost = {"event without a weight": 2, "rejected as bad": 2}
    assert weighted.report.dropped == lost
    assert weighted.report.n_rows_read - len(weighted.frame) == sum(lost.values())


def test_events_get_weights_and_others_are_left_out(read):
    log = read(EVENTS, event_weights={"view": 1, "buy": 5}, repeats="sum")
    assert log.frame["weight"].tolist() == [6, 1]
    assert log.report.dropped == {"event without a weight": 2}


def test_unknown_event_is_refused(read):
    with pytest.raises(InvalidRatingsError, match="event_weights names 'sale': the events are"):
        read(EVENTS, event_weights={"sale": 1})


def test_events_and_weights_together_are_refused(read):
    with pytest.raises(InvalidRatingsError, match="event_weights and a column of weights"):
        read("user_id,item_id,event,count\n1,1,view,2\n", event_weights={"view": 1})


# ---- bad rows -----------------------------------------------------------------------------------

BAD = "userId,item,rating\n1,2,3\n1,3,x\n,4,4\n3,4,5\n5,6,7,8\n9,9,1\n7,7,1\n8,8,1\n"


def test_first_bad_row_stops_the_reading(read):
    with pytest.raises(InvalidRatingsError, match=r"row 2, column rating: 'x' is not a number"):
        read(BAD)


def test_bad_rows_are_skipped_into_a_file(read, tmp_path):
    log = read(BAD, on_bad="skip")
    assert log.frame["user_id"].tolist() == [1, 3, 9, 7, 8]
    assert log.report.dropped == {"rejected as bad": 3}
    assert log.report.n_rows_read == 8
    rejected = pd.read_csv(tmp_path / "log.rejected.csv")
    assert rejected["row"].tolist() == [2, 3, 5]
    assert rejected["column"].fillna("").tolist() == ["rating", "userId", ""]
    assert rejected["value"].fillna("").tolist() == ["x", "", "5,6,7,8"]
    assert log.report.rejected_file == str(tmp_path / "log.rejected.csv")


def test_file_of_rejected_rows_may_be_named(read, tmp_path):
    read(BAD, on_bad="skip", rejected=tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").exists()
    assert not (tmp_path / "log.rejected.csv").exists()


def test_no_file_is_written_without_bad_rows(read, tmp_path):
    read("user_id,item_id\n1,2\n", on_bad="skip")
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_bad_rows_of_a_frame_are_returned():
    frame = pd.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 2, 3], "rating": [3, None, 5]})
    log = read_ratings(frame, on_bad="skip")
    assert log.rejected["row"].tolist() == [2]
    assert log.report.rejected_file is None


def test_more_than_half_bad_is_no_skipping(read):
    with pytest.raises(InvalidRatingsError, match="2 of 3 rows are bad"):
        read("user_id,item_id,rating\n1,2,x\n1,3,y\n1,4,4\n", on_bad="skip")


def test_blank_lines_shift_no_row_number(read):
    with pytest.raises(InvalidRatingsError, match="row 3, column rating"):
        read("user_id,item_id,rating\n1,2,3\n\n1,3,4\n\n\n1,4,x\n")


def test_line_that_is_no_json_is_skipped_or_named(tmp_path):
    good = '{"user_id": 1, "item_id": 2}\n'
    (tmp_path / "log.jsonl").write_text(good * 3 + "no json\n" + good)
    with pytest.raises(InvalidRatingsError, match="line 4 is no readable JSON"):
        read_ratings(tmp_path / "log.jsonl")
    log = read_ratings(tmp_path / "log.jsonl", on_bad="skip")
    assert (len(log.frame), log.rejected["row"].tolist()) == (4, [4])


ROWS = st.lists(
    st.sampled_from(["1,2,3", "1,2", "1,2,3,4", ",2,3", "1,,3", "1,2,good", "   ", "7,8,1"]),
    min_size=1,
    max_size=12,
)


@FUZZ
@given(ROWS)
def test_every_row_is_kept_or_rejected_under_its_number(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("rows") / "log.csv"
    path.write_text("\n".join(["user_id,item_id,rating", *lines]) + "\n")
    bad = [k for k, line in enumerate(lines, 1) if line not in ("1,2,3", "7,8,1", "   ")]
    n_rows = sum(line != "   " for line in lines)
    if not n_rows or 2 * len(bad) > n_rows:
        with pytest.raises(InvalidRatingsError):
            read_ratings(path, on_bad="skip")
        return
    log = read_ratings(path, on_bad="skip")
    assert log.rejected["row"].tolist() == bad
    assert len(log.frame) == n_rows - len(bad)
    assert log.report.n_rows_read == n_rows


# ---- twins, titles, encodings, the report -------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "twin"), [("ann", "ann\u200b"), ("a\u0144n", "an\u0301n"), ("ann", "ann\u00ad")]
)
def test_ids_that_look_alike_are_refused_or_merged(read, first, twin):
    text = f"user_id,item_id\n{first},1\nbob,1\n{twin},2\n"
    with pytest.raises(InvalidRatingsError, match="say look_alikes='merge'"):
        read(text)
    log = read(text, look_alikes="merge")
    assert log.report.n_users == 2
    assert "user: 1 id merged with another that looks the same" in log.report.notes


def test_titles_are_gathered_once_for_each_item(read):
    log = read('user_id,movieId,title\n1,20,\n2,20,Heat\n3,10,"Up, up"\n4,20,Heat\n')
    assert log.titles.to_dict("list") == {"item_id": [20, 10], "title": ["Heat", "Up, up"]}


def test_titles_of_reviews_are_no_titles_of_items(read):
    log = read("user_id,item_id,title\n1,20,Great\n2,20,Bad\n3,10,Fine\n")
    assert log.titles is None
    assert any(
        note.startswith("titles are left out, since 1 item of 2") for note in log.report.notes
    )
    named = read("user_id,item_id,title\n1,20,Great\n2,20,Bad\n3,10,Fine\n", title="title")
    assert named.titles["title"].tolist() == ["Great", "Fine"]


def test_latin_1_is_read_and_told(read):
    log = read("user_id,item_id\nJosé,1\n".encode("latin-1"))
    assert log.frame["user_id"].tolist() == ["José"]
    assert "byte 19 (row 1) is not utf-8: read as latin-1" in str(log.report)


def test_latin_1_far_down_is_found_too(read):
    lines = ["user_id,item_id", *(f"user {k},{k}" for k in range(300_000)), "José,1"]
    log = read("\n".join(lines).encode("latin-1"))
    assert log.frame["user_id"].iloc[-1] == "José"
    assert "(row 300001) is not utf-8" in str(log.report)


def test_report_escapes_what_a_file_brings(read):
    log = read("user_id,item_id,<img onerror=1>\n1,2,3\n")
    assert "<img" not in log.report._repr_html_()
    assert html.escape("<img onerror=1>") in log.report._repr_html_()


def test_report_is_json_and_says_what_was_read(read):
    report = read("a,b,c\n1,2,3\n4,2,5\n", user=1, item="2", rating=3).report.to_dict()
    assert report["kind"] == "delimited text (comma), with a header, utf-8"
    assert (report["n_rows"], report["n_users"], report["n_items"]) == (2, 2, 1)
    assert report["columns"] == {"user": "a", "item": "b", "rating": "c"}
    assert report["dropped"] == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"repeats": "mean"},
        {"zeros": "none"},
        {"on_bad": "ignore"},
        {"layout": "square"},
        {"decimal": ";"},
        {"unrated": "yes"},
        {"look_alikes": "keep"},
        {"event_weights": {"view": 0}},
        {"rating_range": (5, 1)},
    ],
)
def test_policy_that_does_not_exist_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        read_ratings(pd.DataFrame({"user_id": [1], "item_id": [1]}), **wrong)
