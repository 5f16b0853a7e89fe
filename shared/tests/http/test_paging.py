"""Cursors: what goes in comes out, and what is not ours is refused."""

import base64
from datetime import UTC
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from intervai_shared.errors import InvalidError
from intervai_shared.http.paging import decode_cursor, encode_cursor

times = st.datetimes(timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)  # what Mongo keeps
)
values = st.one_of(
    times,
    st.booleans(),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False),
)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(st.lists(values, min_size=1, max_size=4))
def test_a_position_comes_back_as_it_was(position: list[Any]) -> None:
    cursor = encode_cursor(position)
    assert decode_cursor(cursor, [type(value) for value in position]) == position
    assert cursor.replace("-", "").replace("_", "").isalnum()  # goes into a URL as it is


@given(st.lists(values, min_size=1, max_size=3))
def test_a_cursor_of_another_list_is_refused(position: list[Any]) -> None:
    kinds = [type(value) for value in position]
    for other in ([*kinds, ObjectId], kinds[1:], [bytes, *kinds[1:]], [object, *kinds[1:]]):
        with pytest.raises(InvalidError):
            decode_cursor(encode_cursor(position), other)


def test_a_number_does_not_pass_for_a_boolean_nor_the_other_way() -> None:
    for value, kind in ((1, bool), (True, int)):
        with pytest.raises(InvalidError):
            decode_cursor(encode_cursor([value]), [kind])


@given(st.text(max_size=60))
def test_any_text_is_refused_with_the_name_of_the_field(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        decode_cursor(text, [ObjectId])
    assert caught.value.extra["errors"] == [{"field": "query.cursor", "message": "is not a cursor of this list"}]


extended = st.sampled_from(
    ["$oid", "$date", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal", "$binary", "$uuid", "$code",
     "$regularExpression", "$timestamp", "$dbPointer", "$minKey", "$maxKey", "$undefined", "$ref", "$symbol", "$scope"]
)  # fmt: skip
leaf = st.sampled_from(
    ['"zz"', "1", "-1", "1e400", "null", '"9e999999999"', "{}", "[]", '"99999999999999999999"', "true"]
)


@given(st.lists(st.tuples(extended, st.one_of(leaf, st.tuples(extended, leaf).map(lambda t: f'{{"{t[0]}": {t[1]}}}')))))
def test_extended_json_that_makes_no_sense_is_refused_and_never_an_error_of_ours(pairs: list[tuple[str, str]]) -> None:
    text = "[{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}]"
    with pytest.raises(InvalidError):
        decode_cursor(encoded(text), [ObjectId, ObjectId])  # of a list with two sort keys, so never a good one


def test_a_cursor_nested_deeper_than_can_be_read_is_refused() -> None:
    with pytest.raises(InvalidError):
        decode_cursor(encoded("[" * 100_000), [ObjectId])
