"""`tiercel feedback`."""

from __future__ import annotations

from typing import Annotated

import typer

from tiercel.apps.cli.choice import ConfigOption, StoreOption, chosen_settings, store_to_write
from tiercel.apps.cli.output import JsonOption, print_json, working
from tiercel.apps.cli.program import new_program
from tiercel.config.urls import without_password
from tiercel.domain.errors import Conflict, InvalidInput
from tiercel.library.router import Router
from tiercel.services.delivering.pending import Pending
from tiercel.services.rating.intake import FeedbackRequest

program = new_program()


@program.command()
def feedback(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORKFLOW STAGE TIER QUALITY", help="With --decision or --completion only QUALITY (0..1)."
        ),
    ],
    *,
    decision: Annotated[str, typer.Option("--decision", metavar="ID", help="The decision whose answer it was.")] = "",
    completion: Annotated[
        str, typer.Option("--completion", metavar="ID", help="The completion it was, by the id in its answer.")
    ] = "",
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Who rates; rating again revises the rating.")
    ] = "",
    id: Annotated[  # noqa: A002 - the published name
        str, typer.Option("--id", metavar="ID", help="Makes repeating the command harmless.")
    ] = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rate the answers of a stage's tier, or one answer.

    tiercel feedback code-review analysis cheap 0.65

    tiercel feedback --decision dec_... 0.65
    """
    request = _request(words, decision=decision, completion=completion, source=source, id=id)
    settings = chosen_settings(config, store)
    url = store_to_write(settings.store.url)
    with working(f"writing to {without_password(url)}"), Router(settings=settings, store=url) as router:
        events, receipt = router.intake.send([request])
        became = Pending(receipt, lambda done: done).wait()
        if became.conflicts:
            raise Conflict(request.id)
        away = became.kept and router.learner.status().error
    if as_json:
        print_json({"feedback_id": events[0].id} | ({"buffered": True} if away else {}))
    elif away:
        typer.echo(f"kept {events[0].quality:g} as {events[0].id}: the store is away, the next tiercel delivers it")
    else:
        typer.echo(f"recorded {events[0].quality:g} as {events[0].id}")


def _request(words: list[str], *, decision: str, completion: str, source: str, id: str) -> FeedbackRequest:  # noqa: A002
    about_one = bool(decision or completion)
    expected = ["QUALITY"] if about_one else ["WORKFLOW", "STAGE", "TIER", "QUALITY"]
    if len(words) != len(expected):
        raise InvalidInput(f"expected {' '.join(expected)}, found {len(words)} words")
    try:
        quality = float(words[-1])
    except ValueError as error:
        raise InvalidInput(f"QUALITY must be a number in 0..1 (found {words[-1]!r})") from error
    workflow, stage, tier = ("", "", "") if about_one else words[:3]
    return FeedbackRequest(
        quality=quality,
        decision_id=decision,
        completion_id=completion,
        workflow=workflow,
        stage=stage,
        tier=tier,
        source=source,
        id=id,
    )
