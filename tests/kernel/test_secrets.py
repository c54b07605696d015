"""Nothing that a whole notebook leaves behind holds a secret: looked for by the real secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import API_KEY, Service, wait_until
from tests.kernel.conftest import sidecars
from tests.service.running import running

JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")
SIGNED = re.compile(r"signature=\w{8,}")

CELLS = (
    "%load_ext odyssey_nb\nimport odyssey_nb as ody\nconn = ody.connect()",
    'stream = conn.start("a red house", broadcast=True)\nstream',
    "stream.frame().shape, stream.broadcast, [stream.broadcast]",
    "live = ody.watch(stream.broadcast)\nlive",
    "ody.status(), ody.sessions(), vars(conn), vars(stream), vars(live)",
    "ody.sessions()",
    "%odyssey sessions",
    "ody.usage()",
    'ody.simulate([(0, "start", "a"), (1, "end")])',
    "ody.recordings()",
    "ody.connect('other', api_key='ody_a_wrong_key_of_somebody')",
    "ody.watch(stream.broadcast.url + 'x', stream.broadcast.token)",
    "%xmode Verbose\nody.watch(stream.broadcast.url, stream.broadcast.token, timeout=0.0001)",
    "%xmode Verbose\nody.connect('third', url='http://127.0.0.1:9', api_key=conn.access.api_key)",
    "raise RuntimeError(repr(vars(ody.connect())))",
    # Written last, and to a file: what is looked for must not be in the notebook by ourselves.
    "import json, psutil\n"
    "kernel = psutil.Process()\n"
    "ours = [kernel, *kernel.children(recursive=True)]\n"
    "known = {'spectator': stream.broadcast.token,\n"
    "         'arguments': [each.cmdline() for each in ours]}\n"
    "json.dump(known, open('known.json', 'w'))",
)


@pytest.fixture
def left(tmp_path: Path, machine: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run the notebook, and return every text that is left, by where it is; with the secrets."""
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, "--log-level", "debug") as service:
        monkeypatch.setenv("ODYSSEY_API_KEY", API_KEY)
        monkeypatch.setenv("ODYSSEY_API_URL", service.url)
        cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = NotebookClient(
            notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": tmp_path}}
        )
        leases: dict[str, str] = {}
        client.on_cell_executed = lambda **_: leases.update(texts(machine))
        client.execute()
        service.wait_free(seconds=10)
        known = json.loads((tmp_path / "known.json").read_text())
        secrets = [API_KEY, known["spectator"], *files_with_secrets(service)]
    wait_until(lambda: not sidecars(machine), seconds=10, what="the sidecar's end")
    outputs = [cell.outputs for cell in notebook.cells]
    return {
        "notebook": json.dumps([*outputs, notebook.metadata]),
        "arguments": json.dumps(known["arguments"]),
        "service": (folder / "said").read_text(),
        "secrets": json.dumps(secrets),
        **leases,
        **texts(machine),
    }


def texts(folder: Path) -> dict[str, str]:
    """Return the files of `folder`: leases, logs, and what else is there."""
    return {
        str(path): path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()
    }


def files_with_secrets(service: Service) -> list[str]:
    """Return what the service keeps in files of its own."""
    return [(service.data_dir / name).read_text().strip() for name in ("local.key", "token.secret")]


def test_no_secret_is_left_behind(left: dict[str, str]) -> None:
    """Neither outputs and tracebacks nor leases, logs and arguments of processes hold one."""
    secrets = json.loads(left.pop("secrets"))
    assert all(len(each) > 10 for each in secrets)
    assert "BroadcastEndedError" in left["notebook"], "errors were told"
    assert "RuntimeError" in left["notebook"]
    assert "red house" in left["notebook"]
    assert "odyssey_nb.sidecar.process" in left["arguments"]
    assert any("lease" in where for where in left), "leases were looked at"
    for where, text in left.items():
        for secret in secrets:
            assert secret not in text, where
        assert not JWT.search(text), where
        assert not SIGNED.search(text), where
