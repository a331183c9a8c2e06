"""Signed webhooks after the Standard Webhooks scheme (https://www.standardwebhooks.com), through pyreqwest.

The signature is HMAC-SHA256 over "{webhook-id}.{webhook-timestamp}.{body}", in base64 after "v1,".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta
from typing import Any

import msgspec

# ruff: noqa: FBT003 - the builder's switches take their value by position
from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import ConnectError, PyreqwestError, RequestTimeoutError
from pyreqwest.http import Url

from tiercel.domain.errors import NotifyFailed
from tiercel.ports import Message

TIMEOUT_S = 10.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
MIN_SECRET_BYTES = 24
_NO_ADDRESS = "holds no address like https://example.com/hook"
_encode = msgspec.json.Encoder().encode


def secret_bytes(secret: str) -> bytes:
    """The key in a secret: base64 after "whsec_", else the text itself. Raises `ValueError` for one that is no key."""
    if secret.startswith(SECRET_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error as error:
            raise ValueError("is no base64 after whsec_") from error
    else:
        key = secret.encode()
    if len(key) < MIN_SECRET_BYTES:
        raise ValueError(f"holds {len(key)} bytes; a key has at least {MIN_SECRET_BYTES}")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


class Webhook:
    """POSTs messages to `url` as JSON, signed with `secret`. Raises `ValueError` for an address or secret that is none.

    What does not answer with a status of 2xx within 10 s has not taken the message.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._key = secret_bytes(secret)
        try:
            self._url = Url(url)
        except ValueError:
            # the error's own words may hold the address
            raise ValueError(_NO_ADDRESS) from None
        if self._url.scheme not in ("http", "https"):
            raise ValueError(_NO_ADDRESS)
        self._client: SyncClient = (
            SyncClientBuilder()
            .no_proxy()
            .follow_redirects(False)
            .referer(False)
            .connect_timeout(timedelta(seconds=TIMEOUT_S))
            .timeout(timedelta(seconds=TIMEOUT_S))
            .user_agent("tiercel")
            .build()
        )

    def send(self, message: Message) -> None:
        """See `Notifier.send`."""
        body, timestamp = _encode(payload(message)), int(message.at.timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, message.id, timestamp, body),
        }
        try:
            status = self._client.post(self._url).headers(headers).body_bytes(body).build().send().status
        except PyreqwestError as error:
            # the error's own words hold the address
            raise NotifyFailed(_word(error)) from None
        if not 200 <= status < 300:
            raise NotifyFailed(f"status_{status}")

    def close(self) -> None:
        """See `Notifier.close`."""
        self._client.close()


def payload(message: Message) -> dict[str, Any]:
    """A message as JSON values."""
    occasion = message.tidings[0].occasion if len(message.tidings) == 1 else "digest"
    return {
        "type": f"alert.{occasion}",
        "timestamp": message.at.isoformat(),
        "data": {
            "title": message.title,
            "body": message.body,
            "severity": message.severity,
            "incidents": [{"occasion": str(t.occasion), "alert": t.alert.to_dict()} for t in message.tidings],
        },
    }


def _word(error: PyreqwestError) -> str:
    if isinstance(error, RequestTimeoutError):
        return "timeout"
    return "unreachable" if isinstance(error, ConnectError) else "broken"
