"""What must not be in the source, because hostile input could run through it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.reported import Reported

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("src", "scripts") for path in (REPOSITORY / folder).rglob("*.py"))

_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle"}
_BUILTINS = {"eval", "exec", "compile", "__import__"}
_CALLS = {"os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "ssl._create_unverified_context"}
_FLAGS = {("shell", True), ("verify", False), ("check_hostname", False), ("allow_pickle", True)}
_QUERIES = {"execute", "executemany", "executescript", "sql"}


def faults(source: str) -> list[str]:
    """What is wrong with a source, by line."""
    return [f"{node.lineno}: {told}" for node in ast.walk(ast.parse(source)) for told in _faults(node)]  # type: ignore[attr-defined]


def _faults(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (f"imports {name.name}" for name in names if name.name.partition(".")[0] in _MODULES)
        case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in _MODULES:
            yield f"imports {module}"
        case ast.Attribute(attr="CERT_NONE"):
            yield "trusts any certificate"
        case ast.Call(func=func, args=args, keywords=keywords):
            called = ast.unparse(func)
            if called in _BUILTINS | _CALLS:
                yield f"calls {called}"
            for flag in keywords:
                if isinstance(flag.value, ast.Constant) and (flag.arg, flag.value.value) in _FLAGS:
                    yield f"says {flag.arg}={flag.value.value!r}"
            if called.rpartition(".")[2] in _QUERIES and args and _is_built(args[0]):
                yield "builds a query out of strings"


def _is_built(query: ast.expr) -> bool:
    """Whether a text is put together where it is used."""
    match query:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) for value in values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "format_map" | "join" | "replace")):
            return True
    return False


def test_all_of_the_source_is_scanned(reported: Reported) -> None:
    bad = sum(len(faults(path.read_text())) for path in SOURCES)
    reported.none("source", "hits in source files", of=len(SOURCES), bad=bad)
    assert len(SOURCES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_that_hostile_input_could_run_through(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import os, marshal",
        "from pickle import loads",
        "eval(text)",
        "exec(text)",
        "import yaml; yaml.load(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "httpx.get(url, verify=False)",
        "context.verify_mode = ssl.CERT_NONE",
        "db.execute(f'SELECT {name}')",
        "db.execute('SELECT ' + name)",
        "db.execute('SELECT %s' % name)",
        "db.executescript('SELECT {}'.format(name))",
        "duckdb.sql(' '.join(parts))",
    ],
)
def test_the_scan_sees_each_of_them(source: str) -> None:
    assert len(faults(source)) == 1


@pytest.mark.parametrize(
    "source", ["db.execute('SELECT ?', (name,))", "model.eval", "run(text, shell=False)", "f'{a}'"]
)
def test_the_scan_is_silent_otherwise(source: str) -> None:
    assert faults(source) == []
