"""A report for others: a zip of what was found, versions, settings, leases and logs; no secrets."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import zipfile
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING

from odyssey_nb import config
from odyssey_nb.diagnosis.redaction import Redaction
from odyssey_nb.discovery import published_service
from odyssey_nb.errors import OdysseyNBError, UsageError
from odyssey_nb.kernel import leases
from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_nb.diagnosis.patient import Patient
    from odyssey_nb.diagnosis.report import Report

TAIL = 64 * 1024  # bytes of each log
SECRET_FILES = ("local.key", "token.secret")


def write(path: Path, report: Report, patient: Patient) -> None:
    """Write the report to `path`, for this user alone.

    Raises:
        UsageError: It cannot be written there.
    """
    hide = Redaction(_secrets(patient))
    parts = {
        "report.txt": repr(report),
        "report.json": _json([dataclasses.asdict(each) for each in report]),
        "versions.json": _json(_versions()),
        "settings.json": _json(config.settings_told()),
        "leases.json": _json(_leases()),
        **dict(_logs()),
    }
    try:
        path.unlink(missing_ok=True)  # others may be able to read what lies there
        with (
            os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle,
        ):
            for name, text in parts.items():
                bundle.writestr(name, hide(text))
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"{path} cannot be written ({why})", hint="Name another file.") from error


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, default=str)


def _secrets(patient: Patient) -> Iterator[str]:
    """Yield every secret that is known here."""
    yield patient.api_key
    yield from config.secrets_told()
    for each in patient.ice or ():
        yield each.credential or ""
        yield each.username or ""
    for connection in get_manager().all():
        yield connection.access.api_key or ""
        broadcast = connection.stream.broadcast if connection.stream is not None else None
        yield broadcast.token if broadcast is not None else ""
    service = published_service()
    folders = [config.default_data_dir()]
    if service is not None:
        yield service.secret
        folders.append(type(folders[0])(service.data_dir))
    for folder in folders:
        for name in SECRET_FILES:
            with suppress(OSError):  # there is none, or this user may not read it
                yield (folder / name).read_text(errors="replace").strip()


def _versions() -> dict[str, object]:
    installed = {each.name: each.version for each in metadata.distributions() if each.name}
    return {
        "odyssey-nb": config.VERSION,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": dict(sorted(installed.items(), key=lambda each: each[0].lower())),
    }


def _leases() -> list[dict[str, object]]:
    """Return the leases of all programs here; they hold no prompts."""
    told: list[dict[str, object]] = [
        {"held": True, "dangling": "", **dataclasses.asdict(each.lease_info)}
        for each in get_manager().all()
    ]
    try:
        found = leases.others()
    except OdysseyNBError as error:
        return [*told, {"problem": error.one_line()}]
    return told + [
        {"held": each.held, "dangling": each.dangling, **dataclasses.asdict(each.info)}
        for each in found
    ]


def _logs() -> Iterator[tuple[str, str]]:
    """Yield the ends of the logs of the processes that were started here."""
    for log in sorted(config.runtime_dir().glob("*.log")):
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - TAIL))
                if file.tell():
                    file.readline()  # half a secret would not be known as one
                yield f"logs/{log.name}", file.read().decode(errors="replace")
        except OSError as error:
            yield f"logs/{log.name}", f"it cannot be read: {error.strerror}"
