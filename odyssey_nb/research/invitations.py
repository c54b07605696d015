"""Links by which people take part, to hand out."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Invitation:
    """One participant's link; whoever has it is that participant, so it is not shown.

    Attributes:
        name: What they are called until they say otherwise.
        link: Opens the page.
    """

    name: str
    link: str = field(repr=False)

    @classmethod
    def of(cls, page: str, name: str, token: str, *, named: bool) -> Invitation:
        """Return the one for `token`; one that is not `named` is asked for their name."""
        return cls(name, f"{page}#me={token}" + (f"&name={quote(name)}" if named else ""))


class Invitations(list[Invitation]):
    """Links, one for each participant. Naming it in a cell shows them, and saves none of them.

    >>> invitations = crowd.invite(["Ada", "Ben"])
    >>> invitations[0].link
    >>> invitations.save("links.csv")
    """

    def save(self, path: str | Path) -> Path:
        """Write names and links as CSV, for this user alone; return where."""
        path = Path(path)
        path.unlink(missing_ok=True)  # others may be able to read what lies there
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "link"])
            writer.writerows([each.name, each.link] for each in self)
        return path

    def __repr__(self) -> str:
        return f"<{len(self)} invitations: [0].link is the first, .save('links.csv') writes all>"
