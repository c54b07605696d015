"""What an account and its programs hold, use and are let in by, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.api.asking import target_of
from odyssey_nb.config import key_source
from odyssey_nb.errors import SettingError
from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_nb.diagnosis.report import Report
    from odyssey_nb.kernel.login import Login, Logout
    from odyssey_nb.kernel.release import Ended
    from odyssey_nb.kernel.sessions import SessionList
    from odyssey_nb.kernel.usage import UsageReport


def sessions() -> SessionList:
    """Return every session that your programs on this machine hold or have left behind, as a table.

    A session dangles when nobody will end it any more: the kernel or sidecar that held it is dead.
    A service that lists its sessions (the local one does) also tells of programs without this
    package; they are named by their process.

    >>> sessions()[0].where
    """
    return get_manager().sessions()


def kill(which: str) -> Ended:
    """End one session, whichever program holds it, and return what was ended.

    A kernel whose session is ended so is told by whom, and can connect again.

    >>> kill("3f2a")

    Args:
        which: The beginning of its id, or the name of its connection.

    Raises:
        NotFoundError: No session is called so.
        UsageError: Several are.
        SettingError: The key for its service is not known here.
        ConnectError: The service does not answer.
    """
    return get_manager().kill(which)


def reap() -> Ended:
    """End every session that dangles, and remove its lease; return what was ended.

    >>> reap()
    """
    return get_manager().reap()


def usage(
    *, local: bool | None = None, url: str | None = None, api_key: str | None = None
) -> UsageReport:
    """Return what the account uses now and has used this month; a cell shows a chart of the days.

    >>> usage().total_hours

    Args:
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        AuthError: The key was refused.
        ConnectError: The service does not answer.
        NotFoundError: The service does not tell usage.
    """
    from odyssey_nb.kernel.usage import fetch

    return fetch(target_of(local, url, api_key))


def login(url: str | None = None) -> Login:
    """Ask for an API key without showing it, try it, and keep it, so that it stands in no cell.

    Where the package ``keyring`` is installed (``odyssey-nb[keyring]``) the system's keyring keeps
    it for all programs of this user; else this kernel does until it ends. In Colab the secret
    ``ODYSSEY_API_KEY`` is taken, where the notebook may have it. From then on `connect` goes to
    that service; ``ODYSSEY_API_KEY`` in the environment goes first.

    >>> login()

    Args:
        url: The service's base URL; ``ODYSSEY_API_URL`` or the cloud if left out. The key is sent
            to no other.

    Raises:
        AuthError: The key is refused, and not kept.
        ConnectError: The service does not answer, and the key is not kept.
        UsageError: No key was given, or nobody is there to type it.
    """
    from odyssey_nb.kernel.login import login

    return login(url)


def logout() -> Logout:
    """Forget the key of `login`, here and in the system's keyring; open connections stay.

    >>> logout()

    Raises:
        UsageError: The keyring does not let go of it.
    """
    from odyssey_nb.kernel.login import logout

    return logout()


def doctor(
    *,
    bundle: str | Path | None = None,
    session: bool = True,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Report:
    """Look at all that a live stream stands on, and say what to do about what is wrong.

    Each line is ok, a warning, a problem, or skipped. It takes some seconds, and holds a streamer
    for two of them; nothing is generated on it. A terminal has no page to ask.

    >>> doctor()
    >>> doctor(bundle="report.zip").failed

    Args:
        bundle: A zip to write for others: the report, versions, settings, leases and the ends of
            logs, without keys, tokens, signed URLs or prompts.
        session: False reserves no streamer, so that WebSocket and ICE are not tried.
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        UsageError: The bundle cannot be written there.
    """
    from odyssey_nb.diagnosis.patient import Patient
    from odyssey_nb.diagnosis.run import examine

    patient = Patient(session=session)
    try:
        patient.target = target_of(local, url, api_key)
        patient.key_from = key_source(patient.target, api_key)
    except SettingError as error:
        patient.unclear = error
    return examine(patient, save=bundle)
