"""The launcher of runs as tasks of Celery, for `dagster.yaml`. It needs the extra `cluster`."""

from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG


class CeleryLauncher(CeleryRunLauncher):
    """
    Dagster's launcher, with a Terminate that reaches every run.

    Dagster's own kills the process of a run in the middle of a request, and does nothing under a pool of threads. Here
    the steps see that their run is terminated, and end it: `opener.Opener.open`.
    """

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]).revoke()
        return True
