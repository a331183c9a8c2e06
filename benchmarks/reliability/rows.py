"""The faults that figures are reported of, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """A fault and what must hold under it, as the specification says."""

    fault: str
    target: str


Section = Mapping[str, Row]
"""Rows by the name that a test reports under."""

DURABILITY: Section = {
    "kill-writer": Row(
        "kill -9 a writer at >= 200 random points of batched writes",
        "acknowledged feedback lost 0, double-counted 0, corrupt rows 0; reopen < 1 s per 1e6 rows",
    ),
    "kill-gateway": Row(
        "kill -9 the gateway with streams in flight", "nothing acknowledged lost; in-flight counters return to 0"
    ),
    "disk": Row(
        "disk full, EIO, read-only directory mid-write",
        "decisions failed 0; feedback kept up to the buffer bound, every drop counted and shown, no crash",
    ),
    "damage": Row(
        "truncated / garbage database or WAL (1,000 mutations)",
        "no crash at start, no silently wrong data: quarantine, say so, go on",
    ),
    "eight-writers": Row("8 processes writing one file", 'lost updates 0, no "database is locked" to a caller'),
    "repeats": Row("duplicates, reordering, unknown result then retry", "effect exactly once"),
}
SHARED: Section = {
    "stopped": Row(
        "stopped 60 s under load",
        "failed decisions 0; added decision p99 <= 1 ms; 100 % of buffered feedback delivered, drained < 10 s",
    ),
    "frozen": Row("frozen, not dead (CLIENT PAUSE, SIGSTOP)", "failed 0; longest decision <= 50 ms"),
    "slow": Row("+50 ms, +500 ms, 5 % loss", "no change in decision p99"),
    "refusals": Row(
        "failover, MOVED, ASK, READONLY, LOADING, OOM, NOAUTH, NOSCRIPT, CLUSTERDOWN",
        "failed 0; own buffered feedback lost 0; back < 2 s after promotion; "
        "loss by asynchronous replication reported apart",
    ),
    "emptied": Row("FLUSHALL, wrong types under our keys", "failed 0; state rebuilt from the log"),
    "partition": Row(
        "partition of 2-5 gateways for 5 min, then heal", "merged counts exactly the sum; agreement < 5 s"
    ),
    "cancellations": Row("1e5 cancellations on shared connections", "replies to a wrong caller 0"),
    "flapping": Row("flapping every 2 s for 10 min", "RSS, file descriptors, threads flat; <= 100 B log per request"),
}
LEARNING: Section = {
    "hostile-source": Row(
        "one source sends 1e5 false ratings",
        "recommendation and shares unchanged; how many hostile sources it takes is reported",
    ),
    "mended-tier": Row(
        "cheap tier bad for a day, then mended",
        "time and cost until it is used again: hours, not the 7-day expiry",
    ),
    "threshold": Row("true success rate exactly at a threshold", "<= 2 flips per 1,000 requests"),
    "late-feedback": Row("feedback 1 h late, 70 % missing", "regret against the oracle with interval"),
    "clock-steps": Row(
        "wall clock stepped -1 h, +1 h, +7 d, 1970, 2038",
        "no expiry, cooldown or ejection misfires; no negative ages",
    ),
    "many-names": Row(
        "1e6 distinct workflow, stage, model, user names",
        "memory and metric series bounded (an overflow bucket), both flat",
    ),
}
SECURITY: Section = {
    "no-key": Row(
        "no key, wrong key, key store failing",
        "fail closed: 401, same body and time; constant-time compare on digests",
    ),
    "open-bind": Row("a bind to anything but loopback without keys", "refused at start with a clear message"),
    "canary-keys": Row(
        "canary keys through every path (errors, logs, /metrics, /health, dashboard, repr, config show)", "0 hits"
    ),
    "dashboard": Row(
        "dashboard: no session, CSRF, foreign Origin, unknown Host, framing, stored XSS in every name",
        "0; strict CSP without inline script",
    ),
    "source": Row("source scan: pickle, eval, exec, yaml.load, shell=True, verify=False, string-built SQL", "0"),
}
SECTIONS: Mapping[str, Section] = {
    "Durability (embedded store)": DURABILITY,
    "Shared store (Redis / Valkey)": SHARED,
    "Learning": LEARNING,
    "Security": SECURITY,
}
NAMES: Sequence[str] = tuple(name for section in SECTIONS.values() for name in section)
