"""The local service is found by its file and believed only on proof."""

from __future__ import annotations

import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from odyssey_nb import discovery
from odyssey_nb.config import VERSION
from odyssey_nb.discovery import ServiceAddress
from tests.conftest import Serve

NOBODY = ServiceAddress(url="http://127.0.0.1:1", pid=1, secret="s", data_dir="/d")


def test_the_file_belongs_to_this_version(machine: Path) -> None:
    """What is published is read back; only this user can read it."""
    assert discovery.published_service() is None
    assert discovery.publish(NOBODY)
    file = machine / f"service-{VERSION}.json"
    assert file == discovery.info_file()
    assert file.stat().st_mode & 0o777 == 0o600
    assert discovery.published_service() == NOBODY
    assert "'s'" not in repr(NOBODY)
    discovery.withdraw(replace(NOBODY, pid=2))
    assert file.exists(), "it is about another service"
    discovery.withdraw(NOBODY)
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"url": "a"}', '"\\ud800"', "\x00"])
def test_a_file_that_makes_no_sense(machine: Path, text: str) -> None:
    """A file that was cut short or written by somebody else says nothing."""
    discovery.info_file().write_text(text)
    assert discovery.published_service() is None
    assert discovery.running_service() is None


def test_only_who_proves_it_is_believed(serve: Serve) -> None:
    """The right service is; with another secret, or when nobody answers, it is not."""
    service = serve()
    found = discovery.running_service()
    assert found is not None
    assert (found.url, found.pid) == (service.url, service.pid)
    fields = json.loads(discovery.info_file().read_text())
    assert found.secret == fields["secret"]
    assert found.secret not in json.dumps(service.ask("GET", "/healthz?challenge=1"))
    for wrong in ({"secret": "another"}, {"url": "http://127.0.0.1:1"}, {"url": "nonsense"}):
        discovery.info_file().write_text(json.dumps(fields | wrong))
        assert discovery.running_service() is None


def test_a_running_service_is_not_replaced(serve: Serve) -> None:
    """The first that serves is the one that notebooks find; when it stops, the next may be."""
    first, second = serve(), serve()
    assert discovery.published_service().url == first.url
    first.stop()
    assert discovery.published_service() is None
    third = serve()
    assert discovery.published_service().url == third.url
    assert second.url != third.url


class Impostor(BaseHTTPRequestHandler):
    """Answers whatever it is asked, and remembers what it is told."""

    told: list[str] = []  # noqa: RUF012 - one for the class, as a test reads it

    def do_GET(self) -> None:
        """Say that everything is fine."""
        self.told.append(self.path)
        body = b'{"status": "ok", "proof": "trust me"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def test_an_impostor_on_the_same_port_learns_nothing(machine: Path) -> None:
    """Who took over the address of a service that is gone gets neither belief nor secret."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Impostor) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        discovery.publish(replace(NOBODY, url=url, secret="do not tell"))
        assert discovery.running_service() is None
        server.shutdown()
    assert Impostor.told
    assert not any("do" in path for path in Impostor.told)
