"""One visit to the doctor: the checks in order, under a progress bar."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.diagnosis import bundle, left, media, page, place, service, session
from odyssey_nb.diagnosis.examination import Check, Examination
from odyssey_nb.diagnosis.redaction import Redaction
from odyssey_nb.diagnosis.report import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.diagnosis.patient import Patient

# What others stand on comes first.
CHECKS = (
    Check("Python", place.python),
    Check("packages", place.packages),
    Check("kernel", place.kernel),
    Check("folders", place.folders),
    Check("settings", place.settings),
    Check("service", service.service, seconds=45.0),
    Check("account", service.account),
    Check("codec", media.codec),
    Check("UDP", media.udp, seconds=15.0),
    Check("session", session.session, seconds=30.0),
    Check("ICE servers", media.ice_servers, seconds=25.0),
    Check("widgets", page.page, seconds=20.0),
    Check("sessions", left.sessions),
)


def examine(
    patient: Patient, *, save: str | Path | None = None, checks: Sequence[Check] = CHECKS
) -> Report:
    """Do the checks, and write the report for others if that is asked for."""
    from tqdm.auto import tqdm

    began = time.monotonic()
    findings: list[Finding] = []
    with tqdm(checks, desc="doctor", unit=" checks", leave=False) as bar:
        # After the bar: JupyterLab, as it shows its first widget, gives up models that are loading.
        if patient.probe is None and place.in_kernel():
            from odyssey_nb.widgets.probe import Probe

            patient.probe = Probe()
        try:
            for check in bar:
                bar.set_postfix_str(check.name)
                findings += Examination(check, patient).run()
        finally:
            if patient.probe is not None:
                patient.probe.close()
    path = "" if save is None else str(save)
    hide = Redaction([patient.api_key])  # a URL may hold who it is asked as
    findings = [
        replace(each, found=hide(each.found), remedy=hide(each.remedy)) for each in findings
    ]
    report = Report(findings, seconds=time.monotonic() - began, bundle=path)
    if save is not None:
        bundle.write(Path(save), report, patient)
    return report
