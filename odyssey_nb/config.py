"""Settings: argument, then environment, then login, then default.

Nothing else reads the environment.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from odyssey_nb.errors import SettingError
from odyssey_nb.keychain import kept_key
from odyssey_nb.private import writing

VERSION = "0.1.0"  # the distribution's, too

CLOUD_URL = "https://api.odyssey.ml"
SECRETS = {"ODYSSEY_API_KEY"}
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which service to talk to: its base URL, and the key, which never shows in a repr."""

    url: str | None  # None: the local service, started when needed
    api_key: str | None

    def __repr__(self) -> str:
        return f"Target({self.name})"

    @property
    def name(self) -> str:
        """What a user calls it."""
        return self.url or "local service"


def where(name: str) -> str:
    """Return a target's name as it stands in a sentence: a URL as it is, "the local service"."""
    return name if "://" in name else f"the {name}"


def resolve_target(
    *, local: bool | None = None, url: str | None = None, api_key: str | None = None
) -> Target:
    """Decide which service a connection goes to.

    `local` True is the local service, False the cloud (or `url`); left open, it is the local
    service unless a URL or an API key is given, in the environment, or kept by a login.

    Raises:
        SettingError: The cloud without a key, or `local` together with a URL.
    """
    if local:
        if url:
            raise SettingError(
                "local=True and url= exclude each other", hint="Leave one of them out."
            )
        return Target(url=None, api_key=None)
    url = (url or os.environ.get("ODYSSEY_API_URL") or "").rstrip("/") or None
    key = (api_key or os.environ.get("ODYSSEY_API_KEY") or "").strip() or None
    if key is None:
        kept = kept_key(login_note())
        if kept is not None and url in (None, kept.url):  # it goes to no other service
            url, key = kept.url, kept.api_key
    if key is None and (local is False or url):
        raise SettingError(
            "a remote service needs an API key",
            hint="ody.login() asks for it, ODYSSEY_API_KEY sets it; local=True needs none.",
        )
    if key is None:
        return Target(url=None, api_key=None)
    return Target(url=url or CLOUD_URL, api_key=key)


def login_note() -> Path:
    """Return the file that says to which service one is logged in."""
    return default_data_dir() / "login.json"


def login_url(given: str | None) -> str:
    """Return the service that a key is asked for: the one given, the environment's or the cloud."""
    return (given or os.environ.get("ODYSSEY_API_URL") or CLOUD_URL).rstrip("/")


def api_key_set() -> bool:
    """Whether the environment has a key."""
    return bool((os.environ.get("ODYSSEY_API_KEY") or "").strip())


def key_source(target: Target, given: str | None) -> str:
    """Say where the key of `target` comes from; empty if it was handed over in the call."""
    if target.url is None:
        return "the local service's file"
    if given:
        return ""
    if target.api_key == (os.environ.get("ODYSSEY_API_KEY") or "").strip():
        return "ODYSSEY_API_KEY"
    kept = kept_key(login_note())
    return kept.where if kept is not None and kept.api_key == target.api_key else ""


def runtime_dir() -> Path:
    """Return the private directory for leases and the local service's address, made when missing.

    Never in the home directory, which may be on a network file system where locks do not hold.
    """
    given = os.environ.get("ODYSSEY_NB_RUNTIME_DIR")
    base = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        path = Path(given)
    elif base and Path(base).is_dir() and os.access(base, os.W_OK):
        path = Path(base) / "odyssey_nb"
    else:
        # By number where there is one: in a container the user may have no name.
        user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
        path = Path(tempfile.gettempdir()) / f"odyssey_nb-{user}"
    with writing(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise SettingError(
            f"{path} is open to other users", hint="Set ODYSSEY_NB_RUNTIME_DIR to a private one."
        )
    return path


def default_data_dir() -> Path:
    """Return where the local service keeps keys and media."""
    given = os.environ.get("ODYSSEY_NB_DATA_DIR")
    if given:
        return Path(given)
    from platformdirs import user_data_path

    return user_data_path("odyssey_nb", appauthor=False)


def local_world() -> str | None:
    """Return the world that a local service started by a notebook shows; None is its default."""
    return os.environ.get("ODYSSEY_NB_WORLD")


def headless() -> bool:
    """Return whether nobody watches, so that cells show stills in the place of live views."""
    return os.environ.get("ODYSSEY_NB_HEADLESS", "").strip() not in {"", "0"}


def when_hidden_setting() -> str | None:
    """Return what becomes of streams that nobody sees, as text; see `connect`."""
    return os.environ.get("ODYSSEY_NB_WHEN_HIDDEN") or None


def daily_budget_seconds() -> float:
    """Return for how long connections may be held in one day, all together; 0: any time.

    Raises:
        SettingError: It is no positive number.
    """
    text = os.environ.get("ODYSSEY_NB_BUDGET_MINUTES_PER_DAY")
    if not text:
        return 0.0
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0
    if not minutes > 0:
        raise SettingError(
            f"ODYSSEY_NB_BUDGET_MINUTES_PER_DAY is {text!r}",
            hint="Set it to minutes, for example 60.",
        )
    return minutes * 60


def ledger_path() -> Path:
    """Return the file that says how much of the day's budget is spent.

    It has to outlast the session of the user, which the runtime directory does not.
    """
    return default_data_dir() / "budget.json"


def suspended_seconds() -> float:
    """Return for how long the sessions of a kernel that a signal or debugger stopped are kept.

    Raises:
        SettingError: It is no positive number.
    """
    text = os.environ.get("ODYSSEY_NB_SUSPENDED_SECONDS") or "120"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise SettingError(
            f"ODYSSEY_NB_SUSPENDED_SECONDS is {text!r}", hint="Set it to seconds, for example 120."
        )
    return seconds


def settings_told() -> dict[str, str]:
    """Return our settings in the environment, for a report: of a key only how long it is."""
    told = {name: value for name, value in os.environ.items() if name.startswith("ODYSSEY_")}
    for name in set(told) & SECRETS:
        told[name] = f"set, {len(told[name])} characters"
    proxies = {name: "set" for name in os.environ if name.lower() in PROXIES}
    return dict(sorted(told.items())) | proxies


def secrets_told() -> list[str]:
    """Return the secrets of the environment and of a login, to be hidden wherever they stand."""
    kept = kept_key(login_note())
    told = [os.environ[name].strip() for name in SECRETS if name in os.environ]
    return told if kept is None else [*told, kept.api_key]


def jupyter_server_pid() -> int | None:
    """Return the process id of the Jupyter server that started this kernel, if it says so."""
    text = os.environ.get("JPY_PARENT_PID", "")
    return int(text) if text.isdecimal() and int(text) > 1 else None


def notebook_name() -> str | None:
    """Return the notebook's path, where the front end tells it."""
    return os.environ.get("JPY_SESSION_NAME") or None


def local_key(data_dir: Path) -> str:
    """Return the local service's default key.

    Raises:
        SettingError: There is no such file; the service makes it when it starts.
    """
    try:
        return (data_dir / "local.key").read_text().strip()
    except OSError as error:
        raise SettingError(
            f"no local key in {data_dir}", hint="Start the service with odyssey-nb serve."
        ) from error
