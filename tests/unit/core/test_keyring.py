from __future__ import annotations

import pytest

from tiercel.core.keyring import Holder, Keyring
from tiercel.domain.access import Role

OPS, BOT = Holder("ops", Role.ADMIN), Holder("bot", Role.CALLER)
KEYS = {OPS: "CANARY-key-of-the-operators", BOT: "CANARY-key-of-the-robot"}
NOW_S = 1_700_000_000.0
HOUR_S = 3600.0


def keyring(keys: dict[Holder, str] = KEYS) -> Keyring:
    return Keyring(keys.items(), session_s=12 * HOUR_S)


def begun(ring: Keyring, holder: Holder = OPS) -> str:
    token = ring.begin(KEYS[holder].encode(), now_s=NOW_S)
    assert token is not None
    return token


def test_a_key_is_known_and_nothing_else() -> None:
    ring = keyring()
    assert [ring.holder(key.encode()) for key in KEYS.values()] == [OPS, BOT]
    for wrong in (b"", b"CANARY", KEYS[OPS].encode() + b" ", KEYS[OPS].upper().encode(), b"\xff" * 40):
        assert ring.holder(wrong) is None
        assert ring.begin(wrong, now_s=NOW_S) is None


def test_whatever_is_presented_is_compared_with_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, theirs))
        return ours == theirs

    monkeypatch.setattr("tiercel.core.keyring.hmac.compare_digest", compare)
    ring = keyring()
    for presented in (b"", b"wrong", KEYS[OPS].encode(), KEYS[BOT].encode()):
        compared.clear()
        ring.holder(presented)
        assert len(compared) == len(KEYS)
        assert {len(side) for pair in compared for side in pair} == {32}, "digests, not keys"


def test_a_role_may_do_what_those_before_it_may() -> None:
    assert [[role.may(needed) for needed in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize(
    ("after_s", "lasts"),
    [(0, True), (12 * HOUR_S - 1, True), (12 * HOUR_S, False), (1e9, False), (-HOUR_S, True), (-13 * HOUR_S, False)],
)
def test_a_session_lasts_its_hours_and_no_longer_however_the_clock_is_set(*, after_s: float, lasts: bool) -> None:
    ring = keyring()
    session = ring.session(begun(ring), now_s=NOW_S + after_s)
    assert (session is not None) is lasts
    if session is not None:
        assert (session.holder, session.expires_at_s) == (OPS, NOW_S + 12 * HOUR_S)


def test_every_gateway_with_the_key_knows_the_session_and_who_lost_the_key_does_not() -> None:
    token = begun(keyring())
    assert keyring().session(token, now_s=NOW_S) == keyring({OPS: KEYS[OPS]}).session(token, now_s=NOW_S)
    assert keyring({BOT: KEYS[BOT]}).session(token, now_s=NOW_S) is None
    assert keyring({OPS: "another-key-of-the-operators"}).session(token, now_s=NOW_S) is None
    demoted = keyring({Holder("ops", Role.VIEWER): KEYS[OPS]}).session(token, now_s=NOW_S)
    assert demoted is not None
    assert demoted.holder.role == Role.VIEWER, "the role is the configuration's, not the session's"


def test_what_sessions_show_differs_between_keys_and_times() -> None:
    ring = keyring()
    tokens = [begun(ring), begun(ring, BOT), ring.begin(KEYS[OPS].encode(), now_s=NOW_S + 1) or ""]
    sessions = [ring.session(token, now_s=NOW_S) for token in tokens]
    assert len({session.csrf for session in sessions if session}) == 3


def test_no_key_is_in_what_is_printed() -> None:
    ring = keyring()
    token = begun(ring)
    session = ring.session(token, now_s=NOW_S)
    assert session is not None
    for printed in (repr(ring), repr(vars(ring)), repr(session), token):
        assert "CANARY" not in printed
    assert session.csrf not in repr(session)
