"""What can be wrong around tiercel: the interpreter, packages, configuration, keys, store, disk, port."""

from __future__ import annotations

import glob
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tiercel import bootstrap
from tiercel.adapters.sqlite_store.outbox import outbox_files, outboxes_of_others, waiting_in
from tiercel.config.environment import access_key_problem, key_is_set
from tiercel.config.file import load, with_environment
from tiercel.config.settings import Settings, StoreSettings
from tiercel.config.urls import outbox_file, store_file, store_url_problem, without_password
from tiercel.core.server_address import on_servers
from tiercel.domain.errors import ConfigurationError, MissingDependency, StoreError
from tiercel.ports import Store

OK, WARN, FAIL = "ok", "warn", "fail"
OLDEST_PYTHON = (3, 11)
SCARCE_BYTES, EXHAUSTED_BYTES = 1 << 30, 100 << 20
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)[^;>]*(?:>=(?P<least>[\d.]+))?[^;]*(?:;(?P<marker>.*))?")
_EXTRA = re.compile(r"extra\s*==\s*[\"'](?P<extra>[\w-]+)[\"']")
_ABSENT = "not installed"
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `status` is ok, warn or fail; `remedy` is what to do, "" where nothing is."""

    check: str
    status: str
    found: str
    remedy: str = ""


def check_up(config: Path | None, store: str | None) -> Iterator[Finding]:
    """Every check in order; `config` is the file to check, if there is one, and `store` goes before the file's."""
    yield _python()
    yield from packages()
    settings, finding = _configuration(config)
    yield finding
    if settings is None:
        return
    if store is not None:
        settings = replace(settings, store=replace(settings.store, url=store))
    yield from _keys(settings)
    yield from _channels(settings)
    yield from _store(settings.store.url)
    yield from _outbox(settings.store)
    yield _port(settings.server.host, settings.server.port)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("python", OK, version)
    return Finding("python", FAIL, version, f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")


def packages() -> Iterator[Finding]:
    """What the installed tiercel requires, as one finding where all of it is there, and what each extra would."""
    sound = 0
    for line in metadata.requires("tiercel") or ():
        requirement = _REQUIREMENT.match(line)
        if requirement is None:
            continue
        name, least, marker = requirement["name"], requirement["least"] or "", (requirement["marker"] or "").strip()
        extra = _EXTRA.search(marker)
        if extra:
            yield _optional(name, least, extra["extra"])
            continue
        wrong = _shortcoming(name, least)
        if wrong and not (marker and wrong == _ABSENT):
            yield Finding(f"package {name}", FAIL, wrong, "pip install --upgrade tiercel")
        else:
            sound += 1
    yield Finding("packages", OK, f"{sound} as required")


def _optional(name: str, least: str, extra: str) -> Finding:
    check, remedy = f"extra {extra}", f"pip install 'tiercel[{extra}]'"
    wrong = _shortcoming(name, least)
    if wrong == _ABSENT:
        return Finding(check, OK, f"{name} is {wrong}; it is optional", f"if you need it: {remedy}")
    return Finding(check, WARN if wrong else OK, f"{name} {wrong or 'as required'}", remedy if wrong else "")


def _shortcoming(name: str, least: str) -> str:
    """Why an installed package will not do, or ""."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return _ABSENT
    return f"{version} is older than {least}" if _numbers(version) < _numbers(least) else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _configuration(config: Path | None) -> tuple[Settings | None, Finding]:
    try:
        if config is None:
            remedy = "write a tiercel.toml, or name one with --config"
            return with_environment(Settings()), Finding("configuration", WARN, "none here: defaults", remedy)
        settings = load(config, policies=bootstrap.POLICIES)
    except ConfigurationError as error:
        if len(error.problems) == 1:
            return None, Finding("configuration", FAIL, str(error), "mend it")
        found = f"{len(error.problems)} problems in {config}"
        return None, Finding("configuration", FAIL, found, f"tiercel config check {config}")
    if not settings.models:
        return settings, Finding("configuration", WARN, f"{config}: no models", "add [[models]]")
    return settings, Finding("configuration", OK, f"{config}: {len(settings.models)} models")


def _keys(settings: Settings) -> Iterator[Finding]:
    for provider in settings.providers:
        check = f"key of {provider.id}"
        if not provider.api_key_env:
            yield Finding(check, OK, "none needed")
        elif key_is_set(provider):
            yield Finding(check, OK, f"{provider.api_key_env} is set")
        else:
            yield Finding(check, FAIL, f"{provider.api_key_env} is not set", f"export {provider.api_key_env}=...")
    for key in settings.keys:
        wrong = access_key_problem(key)
        remedy = f"export {key.key_env}=... (python -c 'import secrets; print(secrets.token_urlsafe(32))')"
        found = wrong or f"{key.key_env} is set; {key.role}"
        yield Finding(f"key {key.name}", FAIL if wrong else OK, found, remedy if wrong else "")


def _channels(settings: Settings) -> Iterator[Finding]:
    """The ways to the channels, made as the gateway makes them; nothing is sent."""
    for channel in settings.notify:
        check, of = f"channel {channel.name}", ", ".join(channel.variables.values())
        try:
            (outlet,) = bootstrap.build_outlets(replace(settings, notify=(channel,)))
        except ConfigurationError as error:
            found = "; ".join(problem.message for problem in error.problems)
            yield Finding(check, FAIL, found, f"export {of.replace(', ', '=... ')}=...")
        except MissingDependency as error:
            yield Finding(check, FAIL, "apprise is not installed", str(error))
        else:
            outlet.notifier.close()
            yield Finding(check, OK, f"{of} can be read")


def _store(url: str) -> Iterator[Finding]:
    problem = store_url_problem("store.url", url, secret=True)
    if problem is not None:
        yield Finding("store", FAIL, str(problem), "mend [store] url, TIERCEL_STORE or --store")
        return
    if on_servers(url):
        yield _store_on_server(url)
        return
    file = store_file(url)
    if file is None:
        yield Finding("store", WARN, f"{url} forgets with the process", 'keep it: url = "sqlite:///tiercel.db"')
        return
    yield _store_in(file, url)
    yield _disk(file)


def _store_in(file: Path, url: str) -> Finding:
    if not file.exists():
        directory = file.absolute().parent
        if directory.is_dir() and os.access(directory, os.W_OK):
            return Finding("store", OK, f"{url} will be made when it is first needed")
        return Finding("store", FAIL, f"{directory} is no directory that can be written to", "make it, or name another")
    try:
        # removes nothing, but only a store that can be written to can say so
        _use(url, lambda store: store.trim(_BEGINNING))
    except StoreError as error:
        return Finding("store", FAIL, f"{url}: {error}", "see that the file is readable, writable and not damaged")
    aside = sorted(file.parent.glob(f"{glob.escape(file.name)}.corrupt-*"))
    if aside:
        found = f"{url} works, but {len(aside)} damaged before it, the last put aside as {aside[-1].name}"
        return Finding("store", WARN, found, "restore a backup or delete what was put aside; check the disk")
    return Finding("store", OK, f"{url}, {file.stat().st_size / 1e6:.1f} MB, can be read and written")


def _store_on_server(url: str) -> Finding:
    try:
        _use(url, lambda store: store.compact(bootstrap.SYSTEM_CLOCK.now()))
    except (StoreError, MissingDependency) as error:
        remedy = "see that the server runs, can be reached and knows the password in TIERCEL_STORE"
        return Finding("store", FAIL, str(error), "" if isinstance(error, MissingDependency) else remedy)
    return Finding("store", OK, f"{without_password(url)} can be read and written")


def _use(url: str, write: Callable[[Store], object]) -> None:
    store = bootstrap.open_store(url)
    try:
        store.load()
        write(store)
    finally:
        store.close()


def _outbox(settings: StoreSettings) -> Iterator[Finding]:
    """What waits for a store that was away, and whether more could be kept."""
    file = outbox_file(url=settings.url, outbox=settings.outbox)
    if file is None:
        return
    folder = file.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        yield Finding("outbox", FAIL, f"{folder} cannot be written to", "make it, or name another: [store] outbox")
        return
    try:
        waiting = sum(waiting_in(found) for found in outbox_files(file))
    except StoreError as error:
        yield Finding(
            "outbox", WARN, str(error), "see that the file is readable; a damaged one is put aside at the start"
        )
        return
    for other in outboxes_of_others(file) if settings.outbox is True else ():
        said = "holds what a store at another address has not got"
        yield Finding(f"outbox {other}", WARN, said, "if that is this store, name the file once in [store] outbox")
    found = f"{file}: {waiting} of {settings.outbox_max_events} events wait for the store"
    remedy = "they are delivered when the store is back and a tiercel runs here" if waiting else ""
    yield Finding("outbox", WARN if waiting else OK, found, remedy)


def _disk(file: Path) -> Finding:
    directory = next(parent for parent in file.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(directory).free
    found = f"{free / 1e9:.1f} GB free under {directory}"
    if free < EXHAUSTED_BYTES:
        return Finding("disk", FAIL, found, "free some space: the store cannot grow")
    if free < SCARCE_BYTES:
        return Finding("disk", WARN, found, "free some space before the store grows")
    return Finding("disk", OK, found)


def _port(host: str, port: int) -> Finding:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            return Finding("port", OK, f"{host}:{port} is free")
    except OSError as error:
        remedy = "fine if it is the gateway that runs there; else choose another [server] port"
        return Finding("port", WARN, f"{host}:{port} cannot be had: {error.strerror}", remedy)
