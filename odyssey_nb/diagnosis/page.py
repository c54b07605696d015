"""The page: whether its widgets answer, and what its browser can do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from odyssey_nb.diagnosis.place import numbers, version_of

if TYPE_CHECKING:
    from odyssey_nb.diagnosis.patient import Chart, Patient

ANSWER_SECONDS = 6.0
TRIES = 2  # JupyterLab, as it shows its first widget, gives up models that are loading
NO_PAGE = "no notebook here; `%odyssey doctor` in one asks its page"


async def page(patient: Patient, chart: Chart) -> None:
    """Wait for what the page says of itself."""
    if patient.probe is None:
        chart.skip(NO_PAGE)
        return
    versions = f"ipywidgets {version_of('ipywidgets')}, anywidget {version_of('anywidget')}"
    if numbers(version_of("ipykernel")) < (7, 1):
        chart.skip(f"{versions}; this ipykernel hears pages only between cells")
        return
    told = await asyncio.to_thread(patient.probe.wait, ANSWER_SECONDS)
    for _ in range(1, TRIES):
        if told is None:
            patient.probe.close()
            patient.probe = type(patient.probe)()
            told = await asyncio.to_thread(patient.probe.wait, ANSWER_SECONDS)
    if told is None:
        chart.warn(
            f"{versions}: no page has answered within {TRIES * ANSWER_SECONDS:g} s",
            "Where no page is open (papermill, nbclient) that is right. Else reload it; in Colab "
            "`from google.colab import output; output.enable_custom_widget_manager()` comes first.",
        )
        return
    chart.ok(f"{versions}: the page answered in {told['seconds']:.1f} s, while a cell runs")
    _browser(told, chart)


def _browser(told: dict[str, Any], chart: Chart) -> None:
    """Judge a browser by what it says that it can do."""
    name = str(told.get("browser") or "this browser")
    able = [word for word in ("WebCodecs", "Media Source", "WebRTC") if told.get(word)]
    text = f"{name}: H.264 by {', '.join(able) or 'nothing'}"
    if not told.get("secure"):
        chart.warn(
            f"{text}; the page is no secure context, where browsers withhold WebCodecs",
            "Open it at localhost (`ssh -L 8888:localhost:8888 HOST`) or by https.",
            of="browser",
        )
    elif not {"WebCodecs", "Media Source"} & set(able):
        chart.warn(
            f"{text}; pictures come as JPEG, fewer and heavier",
            "Use a current Chrome, Edge, Firefox or Safari.",
            of="browser",
        )
    elif "WebRTC" not in able:
        chart.warn(
            f"{text}; a broadcast comes to it by HLS, some seconds later",
            "Allow WebRTC in its settings, or look for an extension that blocks it.",
            of="browser",
        )
    else:
        chart.ok(text, of="browser")
