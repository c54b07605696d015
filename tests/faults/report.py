"""The report: one row per fault on the terminal, in REPORT.md, and every run in report.json."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.faults.fault import Outcome

HERE = Path(__file__).parent
HEAD = """# What {total} faults left behind

Written by `make faults` ({machine}). Every fault is done for real, at a random instant, and is
counted at a service with one streamer: *free* is when another client gets it and starts a stream.
A leak is a streamer, process, thread, descriptor or lease that stays. Times are in seconds from the
fault; the raw data is in `report.json`.

**{leaks} leaks in {total} faults; {late} later than their bound; {broken} runs broke down.**
"""

SOAKED = """
The least of the looks of each third. The plain kernel runs the same cells with a stand-in for
`odyssey_nb` that does nothing.
"""


def summary(outcomes: Iterable[Outcome]) -> list[dict[str, object]]:
    """Return one row per fault."""
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for each in outcomes:
        rows.setdefault((each.group, each.fault), []).append(each)
    # Workers take rows in any order; each group stands together, where it came first.
    groups = list(dict.fromkeys(group for group, _ in rows))
    ordered = sorted(rows.items(), key=lambda row: groups.index(row[0][0]))
    return [_row(group, fault, runs) for (group, fault), runs in ordered]


def _row(group: str, fault: str, runs: list[Outcome]) -> dict[str, object]:
    times = [each.free for each in runs if each.free is not None]
    return {
        "group": group,
        "fault": fault,
        "runs": len(runs),
        "leaks": sum(bool(each.left) for each in runs),
        "late": sum(each.late for each in runs),
        "broken": sum(bool(each.broken) for each in runs),
        "median": statistics.median(times) if times else None,
        "worst": max(times, default=None),
        "bound": runs[0].bound,
        "told": _line(runs[-1].told),
    }


TELLING = ("error", "ody.connect()", "stopped", "replaced", "reused")


def _line(told: str) -> str:
    """Return the line that says most: an error or what was done, else the last."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line.lower() for word in TELLING)]
    return (telling or lines or [""])[-1][:160].replace("|", "\\|")


def lines(rows: list[dict[str, object]]) -> list[str]:
    """Return the rows as the terminal shows them."""
    heads = f"{'runs':>4} {'leaks':>5} {'late':>4} {'broken':>6} {'median':>7} {'worst':>7} bound"
    found = [f"{'fault':<58} {heads}"]
    found += [
        f"{row['fault']!s:<58.58} {row['runs']:>4} {row['leaks']:>5} {row['late']:>4} "
        f"{row['broken']:>6} {_time(row['median']):>7} {_time(row['worst']):>7} {row['bound']:g}"
        for row in rows
    ]
    return found


def _time(value: object) -> str:
    return "never" if value is None else f"{value:.2f}"


def soak_file(what: str, minutes: float) -> Path:
    """Return where the newest soak of so many minutes writes what it found."""
    return HERE / f"{what}-{minutes:g}.json"


def soaks() -> str:
    """Return what the newest soak of each length found, as chapters of the report."""
    return "".join(map(_soak, sorted(HERE.glob("s*-*.json"))))


def _soak(file: Path) -> str:
    found = json.loads(file.read_text())
    done = ", ".join(f"{count} {what}" for what, count in found["done"].items())
    name = file.stem.partition("-")[0].title()
    text = f"\n## {name} of {found['minutes']:g} minutes\n\n{done} (`make soak`).\n\n"
    text += "| | | first third | last third |\n|---|---|--:|--:|\n"
    for name, sizes in found["sizes"].items():
        for kind, (first, last) in sizes.items():
            text += f"| {name} | {kind.replace('_', ' ')} | {first:.4g} | {last:.4g} |\n"
    return text + found.get("of", SOAKED)


def write(outcomes: list[Outcome], folder: Path = HERE) -> None:
    """Write REPORT.md and report.json."""
    rows = summary(outcomes)
    text = HEAD.format(
        total=len(outcomes),
        leaks=sum(bool(each.left) for each in outcomes),
        late=sum(each.late for each in outcomes),
        broken=sum(bool(each.broken) for each in outcomes),
        machine=f"{platform.system()}, Python {platform.python_version()}",
    )
    group = ""
    for row in rows:
        if row["group"] != group:
            group = str(row["group"])
            text += f"\n## {group}\n\n| fault | runs | leaks | late | broken | median | worst "
            text += "| bound | what the user is told |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n"
        told = f"`{row['told']}`" if row["told"] else ""
        text += f"| {row['fault']} | {row['runs']} | {row['leaks']} | {row['late']} "
        text += f"| {row['broken']} | {_time(row['median'])} | "
        text += f"{_time(row['worst'])} | {row['bound']:g} | {told} |\n"
    (folder / "REPORT.md").write_text(text + soaks())
    (folder / "report.json").write_text(
        json.dumps([asdict(each) | {"told": _line(each.told)} for each in outcomes], indent=1)
        + "\n"
    )
