"""A session's token that was changed anywhere is nobody's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.keyring import Holder, Keyring
from tiercel.domain.access import Role

NOW_S = 1_700_000_000.0
KEY = b"a key of more than sixteen characters"
RING = Keyring([(Holder("ops", Role.ADMIN), KEY.decode())], session_s=3600.0)
TOKEN = RING.begin(KEY, now_s=NOW_S) or ""


def test_the_token_itself_is_good() -> None:
    assert RING.session(TOKEN, now_s=NOW_S) is not None


@given(at=st.integers(0, len(TOKEN) - 1), put=st.characters(), length=st.integers(0, 2))
def test_a_token_tampered_with_anywhere_is_refused(at: int, put: str, length: int) -> None:
    changed = TOKEN[:at] + put + TOKEN[at + length :]
    assert changed == TOKEN or RING.session(changed, now_s=NOW_S) is None


@given(at=st.integers(0, len(TOKEN) - 1), count=st.integers(1, 20))
def test_a_token_cut_short_or_doubled_is_refused(at: int, count: int) -> None:
    assert RING.session(TOKEN[:at], now_s=NOW_S) is None
    assert RING.session(TOKEN[:at] + TOKEN[at + count :], now_s=NOW_S) is None
    assert RING.session(TOKEN + TOKEN[-count:], now_s=NOW_S) is None


@given(st.text(max_size=100))
def test_any_text_is_refused(text: str) -> None:
    assert RING.session(text, now_s=NOW_S) is None


@given(st.lists(st.sampled_from(["", "1", "0", ".", *TOKEN.split("."), "9" * 30, "-1", "\u0661"]), max_size=8))
def test_its_parts_in_any_other_order_are_refused(parts: list[str]) -> None:
    text = ".".join(parts)
    assert text == TOKEN or RING.session(text, now_s=NOW_S) is None
