"""The dashboard's files: what is sent, that nothing else is, and that what others made is as they made it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tiercel.apps.dashboard import pages

VENDOR = Path(pages.__file__).parent / "files" / "vendor"


def test_every_file_of_a_page_is_found_with_its_type() -> None:
    index = pages.find(pages.INDEX)
    assert index is not None
    assert index.media_type == "text/html"
    referred = re.findall(rb'(?:src|href)="/page/([^"]+)"', index.content)
    assert referred
    assert {name.decode() for name in referred} <= set(pages.names())


@pytest.mark.parametrize("name", [name for name in pages.names() if name.startswith("js/")])
def test_every_module_imports_only_what_is_there(name: str) -> None:
    part = pages.find(name)
    assert part is not None
    assert len(part.content.splitlines()) <= 300
    for wanted in re.findall(rb'from "([^"]+)"', part.content):
        target = (Path("/") / name).parent / wanted.decode()
        assert pages.find(str(target.resolve()).lstrip("/")) is not None, wanted


def test_the_page_asks_for_every_module_at_once() -> None:
    index = pages.find(pages.INDEX)
    assert index is not None
    asked = {name.decode() for name in re.findall(rb'(?:modulepreload" href|src)="/page/(js/[^"]+)"', index.content)}
    assert asked == {name for name in pages.names() if name.startswith("js/")}


@pytest.mark.parametrize(
    "name", ["", "pages.py", "../pages.py", "js/../../pages.py", "/etc/passwd", "js", "vendor/uplot/LICENSE"]
)
def test_nothing_else_is_sent(name: str) -> None:
    assert pages.find(name) is None


def test_nothing_in_the_page_runs_or_styles_inline() -> None:
    policy = pages.HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in pages.names():
        part = pages.find(name)
        assert part is not None
        if name.endswith(".html"):
            assert not re.search(rb"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", part.content)
        if name.startswith("js/"):
            assert not re.search(rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", part.content)


def test_what_others_made_is_as_they_published_it() -> None:
    readmes = list(VENDOR.glob("*/README.md"))
    assert len(readmes) == len(list(VENDOR.iterdir())) > 0
    for readme in readmes:
        sums = dict(re.findall(r"^ +([0-9a-f]{64})  (\S+)$", readme.read_text(), re.MULTILINE))
        assert sums
        for wanted, name in sums.items():
            assert hashlib.sha256((readme.parent / name).read_bytes()).hexdigest() == wanted
        assert (readme.parent / "LICENSE").read_text().strip()
