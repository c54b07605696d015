"""The poster of a notebook that runs without a page, as nbclient and papermill run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import v4

from odyssey_nb.service.worlds.test_pattern import prompt_hash
from tests.conftest import Service
from tests.posters import posters

PROMPT = "a <b>red</b> house"


def test_a_notebook_that_runs_unseen_keeps_a_picture(
    local_service: Callable[[], Service], machine: Path
) -> None:
    """Its page shows the picture that was there when the stream was named, and the prompt."""
    cells = (
        "%load_ext odyssey_nb\nimport odyssey_nb as ody",
        f"stream = ody.start({PROMPT!r})\nstream",
        "ody.disconnect()\nstream",
    )
    notebook = v4.new_notebook(cells=[v4.new_code_cell(each) for each in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    live, over = [cell.outputs for cell in notebook.cells[1:]]
    assert "<Stream 1" in live[-2].data["text/plain"]
    assert live[-1].data == over[-1].data, "named again, it shows the same"
    page, _ = HTMLExporter().from_notebook_node(notebook)
    found = posters(page)
    assert len(found) == 2
    assert {shown for _, shown in found} == {prompt_hash(PROMPT)}
    assert "a &lt;b&gt;red&lt;/b&gt; house</figcaption>" in page
    assert len(json.dumps(live)) < 101_000
    local_service().wait_free()
