"""Chats, mailboxes, pagers: whatever apprise reaches by an address. Imported only where apprise is needed."""

from __future__ import annotations

import logging

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from tiercel.domain.alerts import Severity
from tiercel.domain.errors import NotifyFailed
from tiercel.domain.incident import Occasion
from tiercel.ports import Message

_TYPES = {
    Severity.INFO: NotifyType.INFO,
    Severity.WARNING: NotifyType.WARNING,
    Severity.ERROR: NotifyType.FAILURE,
    Severity.CRITICAL: NotifyType.FAILURE,
}
_SILENT = logging.CRITICAL + 1


class AppriseNotifier:
    """Sends to the service behind an apprise address. Raises `ValueError` for one that apprise cannot read.

    An address holds tokens and passwords, and so do the log lines of apprise and of the client beneath it: they are
    silenced for the whole process.
    """

    def __init__(self, url: str) -> None:
        for name in ("apprise", "urllib3"):
            logging.getLogger(name).setLevel(_SILENT)
        self._apprise = Apprise(asset=AppriseAsset(app_id="tiercel", app_desc="tiercel", async_mode=False))
        if not self._apprise.add(url):
            raise ValueError("holds no address that apprise can read")

    def send(self, message: Message) -> None:
        """See `Notifier.send`. Time-outs are apprise's: 4 s to connect and 4 s to answer, or as the address says."""
        over = all(tiding.occasion == Occasion.RESOLVED for tiding in message.tidings)
        kind = NotifyType.SUCCESS if over else _TYPES[Severity(message.severity)]
        try:
            taken = self._apprise.notify(
                body=message.body, title=message.title, notify_type=kind, body_format=NotifyFormat.TEXT
            )
        except (OSError, TypeError, ValueError):
            # the error's own words may hold the address
            raise NotifyFailed("broken") from None
        if not taken:
            # apprise says why in its log only, beside the address
            raise NotifyFailed("refused")

    def close(self) -> None:
        """See `Notifier.close`: nothing is held."""
