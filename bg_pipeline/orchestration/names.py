"""Every name in Dagster of a catalogue and of its accounts. All other modules ask these."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import dagster as dg

from bg_pipeline.orchestration.dagster_private import AD_HOC_JOB, REPOSITORY_TAG
from bg_pipeline.wiring.settings import CATALOGUE

DETECT, PROCESS_PENDING, PROCESS_DELTA, RETRY = "detect_delta", "process_pending", "process_delta", "retry_failed"
"""The jobs of a catalogue."""

DETECTION_ASSETS = ("source_images", "manifest", "image_delta")
PROCESSING_ASSETS = ("cutouts", "nightly_cutouts")
ASSETS = (*DETECTION_ASSETS, *PROCESSING_ASSETS, "review_gallery")
"""The assets of a catalogue."""

_JOBS = (DETECT, PROCESS_PENDING, PROCESS_DELTA, RETRY)


def _prefixed(prefix: str | None, name: str) -> str:
    # Dagster allows only these characters in the names of sensors and schedules.
    return name if prefix is None else f"{re.sub(r'[^A-Za-z0-9_]', '_', prefix)}_{name}"


@dataclass(frozen=True, slots=True)
class AccountNames:
    """
    The names of an account, which several catalogues may share.

    Without a name, those of the accounts of an only catalogue.
    """

    account: str | None = None

    @property
    def balance(self) -> dg.AssetKey:
        """Key of the asset that plots the balance."""
        return dg.AssetKey([*([] if self.account is None else [self.account]), "credit_balance"])

    @property
    def group(self) -> str:
        return "money" if self.account is None else _prefixed(self.account, "money")

    @property
    def pool(self) -> str:
        """The pool of the steps that buy at this account."""
        return "cutouts" if self.account is None else f"bg_{re.sub(r'[^A-Za-z0-9_]', '_', self.account)}"

    def name(self, name: str) -> str:
        """Return the name of a sensor."""
        return _prefixed(self.account, name)


@dataclass(frozen=True, slots=True)
class Names:
    """
    The names of one catalogue.

    An only catalogue has names without a prefix, and `default` keeps them beside others.
    """

    catalogue: str | None = None
    account: AccountNames = field(default_factory=AccountNames)
    group_name: str = ""
    """Group of its assets; empty for the default."""

    @property
    def group(self) -> str:
        return self.group_name or self.name("catalogue")

    def key(self, asset: str) -> dg.AssetKey:
        """Return the key of an asset."""
        return dg.AssetKey([*([] if self._prefix is None else [self._prefix]), asset])

    def step(self, asset: str) -> str:
        """Return the name of the step that makes an asset; where several do, the part before the dot of theirs."""
        return "__".join(self.key(asset).path)

    def name(self, name: str) -> str:
        """Return the name of a job, an op, a schedule, a sensor or a set of partitions."""
        return _prefixed(self._prefix, name)

    @property
    def _prefix(self) -> str | None:
        return None if self.catalogue == CATALOGUE else self.catalogue

    def owns(self, run: dg.DagsterRun, location: str | None = None) -> bool:
        """
        Return True if a run does nothing but work of this catalogue.

            job                        assets           result
            one of the catalogue's     -                yes
            materialization by hand    only its own     yes
            materialization by hand    others as well   no: they may work without a sign of life
            any other                  -                no
            of another code location   -                no

        Args:
            run: any run of the instance.
            location: name of this code location; None where it is not known.
        """
        if location is not None and location_of(run.tags) not in (None, location):
            return False
        if run.job_name != AD_HOC_JOB:
            return self._has_job(run)
        return bool(run.asset_selection) and set(run.asset_selection or ()) <= self._keys()

    def fails_with(self, run: dg.DagsterRun, failed_steps: Collection[str]) -> bool:
        """
        Return True if the failure of a run of this code location is one of this catalogue.

        Args:
            run: the run that failed.
            failed_steps: names of the steps that failed; empty if its process died.
        """
        if run.job_name != AD_HOC_JOB:
            return self._has_job(run)
        own = self._keys().intersection(run.asset_selection or ())
        failed = {step.partition(".")[0] for step in failed_steps}
        return bool(own) and (not failed or any(self.step(key.path[-1]) in failed for key in own))

    def _has_job(self, run: dg.DagsterRun) -> bool:
        return run.job_name in {self.name(job) for job in _JOBS}

    def _keys(self) -> set[dg.AssetKey]:
        return {self.key(asset) for asset in ASSETS}


def location_of(tags: Mapping[str, str]) -> str | None:
    """Return the code location of a run by its tags; None if daemon and webserver did not start it."""
    return tags.get(REPOSITORY_TAG, "").partition("@")[2] or None
