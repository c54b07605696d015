"""Settings: arguments before the environment before defaults, and keys that never show."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

from odyssey_nb import config
from odyssey_nb.config import CLOUD_URL, Target, resolve_target, where
from odyssey_nb.errors import SettingError

LOCAL = (None, None)
KEY, OTHER = "ody_key_of_the_argument", "ody_key_of_the_environment"
URL, ELSEWHERE = "https://one.example", "https://two.example"


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        # nothing said
        ({}, {}, LOCAL),
        ({}, {"ODYSSEY_API_KEY": ""}, LOCAL),
        ({}, {"ODYSSEY_API_KEY": "  \n"}, LOCAL),
        ({}, {"ODYSSEY_API_URL": ""}, LOCAL),
        # a key is enough for the cloud
        ({"api_key": KEY}, {}, (CLOUD_URL, KEY)),
        ({}, {"ODYSSEY_API_KEY": OTHER}, (CLOUD_URL, OTHER)),
        ({}, {"ODYSSEY_API_KEY": f" {OTHER}\n"}, (CLOUD_URL, OTHER)),
        ({"api_key": KEY}, {"ODYSSEY_API_KEY": OTHER}, (CLOUD_URL, KEY)),
        # a URL goes with a key
        ({"url": URL, "api_key": KEY}, {}, (URL, KEY)),
        ({"url": f"{URL}/"}, {"ODYSSEY_API_KEY": OTHER}, (URL, OTHER)),
        ({"api_key": KEY}, {"ODYSSEY_API_URL": ELSEWHERE}, (ELSEWHERE, KEY)),
        ({"url": URL}, {"ODYSSEY_API_URL": ELSEWHERE, "ODYSSEY_API_KEY": OTHER}, (URL, OTHER)),
        # local says which of the two it is, whatever the environment says
        ({"local": True}, {"ODYSSEY_API_URL": ELSEWHERE, "ODYSSEY_API_KEY": OTHER}, LOCAL),
        ({"local": True, "api_key": KEY}, {}, LOCAL),
        ({"local": False, "api_key": KEY}, {}, (CLOUD_URL, KEY)),
        ({"local": False}, {"ODYSSEY_API_KEY": OTHER}, (CLOUD_URL, OTHER)),
        ({"local": False, "url": URL, "api_key": KEY}, {}, (URL, KEY)),
        # what cannot be
        ({"local": True, "url": URL}, {}, SettingError),
        ({"local": False}, {}, SettingError),
        ({"local": False}, {"ODYSSEY_API_KEY": " "}, SettingError),
        ({"url": URL}, {}, SettingError),
        ({}, {"ODYSSEY_API_URL": ELSEWHERE}, SettingError),
    ],
)
def test_resolve_target(arguments, environment, expected, monkeypatch):
    """Which service it is follows from argument, environment and default, in this order."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if expected is SettingError:
        with pytest.raises(SettingError) as caught:
            resolve_target(**arguments)
        assert caught.value.hint
        assert KEY not in caught.value.one_line()
        return
    target = resolve_target(**arguments)
    assert (target.url, target.api_key) == expected


def test_key_never_shows():
    """Neither the text nor the fields of a target's representation have the key."""
    target = Target(url=URL, api_key=KEY)
    for text in (repr(target), str(target), f"{target!r:>80}", repr([target])):
        assert KEY not in text
        assert URL in text
    assert repr(Target(url=None, api_key=KEY)) == "Target(local service)"


def test_runtime_dir_is_made_private(monkeypatch, tmp_path):
    """A directory that is missing is made for its owner only, whatever the mask."""
    path = tmp_path / "deep" / "runtime"
    monkeypatch.setenv("ODYSSEY_NB_RUNTIME_DIR", str(path))
    before = os.umask(0)
    try:
        assert config.runtime_dir() == path
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert config.runtime_dir() == path


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777, 0o1777])
def test_runtime_dir_that_others_can_open_is_refused(machine, mode):
    """A directory that anybody else can enter is refused, not corrected."""
    machine.chmod(mode)
    with pytest.raises(SettingError, match="open to other users") as caught:
        config.runtime_dir()
    assert "ODYSSEY_NB_RUNTIME_DIR" in caught.value.hint
    assert stat.S_IMODE(machine.stat().st_mode) == mode


def test_runtime_dir_under_xdg(monkeypatch, tmp_path):
    """Without a setting it is a folder of its own in the system's runtime directory."""
    monkeypatch.delenv("ODYSSEY_NB_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert config.runtime_dir() == tmp_path / "odyssey_nb"


@pytest.mark.parametrize("xdg", [None, "", "/nowhere/at/all"])
def test_runtime_dir_elsewhere(xdg, monkeypatch, tmp_path):
    """Without a runtime directory it is one of the user's own among temporary files, never home."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("ODYSSEY_NB_RUNTIME_DIR")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", xdg)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = config.runtime_dir()
    assert path.parent == tmp_path
    assert path.name == f"odyssey_nb-{os.getuid()}"
    assert list(home.iterdir()) == []


def test_runtime_dir_of_a_user_without_a_name(monkeypatch, tmp_path):
    """In a container the user may be a number that no list of users knows."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ODYSSEY_NB_RUNTIME_DIR")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert config.runtime_dir().is_dir()


def test_data_dir(monkeypatch, tmp_path):
    """Keys and media are where the environment says, else in the user's data directory."""
    monkeypatch.setenv("ODYSSEY_NB_DATA_DIR", str(tmp_path / "mine"))
    assert config.default_data_dir() == tmp_path / "mine"
    monkeypatch.delenv("ODYSSEY_NB_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = config.default_data_dir()
    assert path.name == "odyssey_nb"
    assert tmp_path in path.parents


def test_local_key(tmp_path):
    """The local service's key is read from its data directory, without the line's end."""
    (tmp_path / "local.key").write_text(f"{KEY}\n")
    assert config.local_key(tmp_path) == KEY


def test_no_local_key(tmp_path):
    """Without a key file, the error says who makes it."""
    with pytest.raises(SettingError) as caught:
        config.local_key(tmp_path)
    assert "odyssey-nb serve" in caught.value.hint
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("text", "pid"),
    [(None, None), ("", None), ("1", None), ("0", None), ("-5", None), ("4242", 4242),
     ("12.5", None), ("pid", None), ("\u00b2", None)],
)  # fmt: skip
def test_jupyter_server_pid(text, pid, monkeypatch):
    """The server's process is the one it names, and never process 1."""
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    if text is not None:
        monkeypatch.setenv("JPY_PARENT_PID", text)
    assert config.jupyter_server_pid() == pid


def test_names_from_the_environment(monkeypatch):
    """The notebook and the world are what the environment says, or none."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/notebooks/first.ipynb")
    assert config.notebook_name() == "/notebooks/first.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "")
    assert config.notebook_name() is None
    assert config.local_world() == "test_pattern"
    monkeypatch.delenv("ODYSSEY_NB_WORLD")
    assert config.local_world() is None


def test_only_config_reads_the_environment():
    """No other module asks the environment, so this page is all there is to know."""
    package = Path(config.__file__).parent
    readers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(word in path.read_text() for word in ("os.environ[", "environ.get", "getenv"))
    }
    assert readers == {"config.py"}


def test_suspended_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes unless it is set; what is no positive number is refused."""
    assert config.suspended_seconds() == 120
    monkeypatch.setenv("ODYSSEY_NB_SUSPENDED_SECONDS", "2.5")
    assert config.suspended_seconds() == 2.5
    for wrong in ("soon", "0", "-1", "nan"):
        monkeypatch.setenv("ODYSSEY_NB_SUSPENDED_SECONDS", wrong)
        with pytest.raises(SettingError, match="ODYSSEY_NB_SUSPENDED_SECONDS"):
            config.suspended_seconds()


def test_in_a_sentence():
    """A service's name stands in a sentence as a user would say it."""
    assert where(Target(url=None, api_key=KEY).name) == "the local service"
    assert where(Target(url="http://127.0.0.1:8080", api_key=KEY).name) == "http://127.0.0.1:8080"
