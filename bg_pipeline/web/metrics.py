"""Metrics in the text format of Prometheus, as text and served to a monitoring system."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bg_pipeline.core.metrics import Metric
from bg_pipeline.errors import BgPipelineError, ConfigurationError

DEFAULT_PORT = 9796

Read = Callable[[], Sequence[Metric]]


class _Metrics(Collector):
    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        for metric in self._read():
            family = CounterMetricFamily if metric.is_counter else GaugeMetricFamily
            made = family(metric.name, metric.help, labels=metric.labels)
            for labels, value in metric.values.items():
                made.add_metric(labels, value)
            yield made


def text_of(read: Read) -> str:
    """
    Return all metrics as text.

    Raises:
        BgPipelineError: see `read`.
    """
    return generate_latest(_registry(read)).decode()


@contextmanager
def served(read: Read, failed: Callable[[BgPipelineError], object], *, host: str, port: int) -> Iterator[int]:
    """
    Serve the metrics at `/metrics` within this context; yields the port. Each request reads them again.

    Args:
        read: returns the metrics.
        failed: called with the error of a read that failed; the answer is then the status 500.
        host: address to listen on. There is no login.
        port: 0 chooses a free one.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def told() -> Sequence[Metric]:
        try:
            return read()
        except BgPipelineError as error:
            failed(error)
            raise

    try:
        server, thread = start_http_server(port, host, _registry(told))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise ConfigurationError(
            f"metrics cannot be served at {host}, port {port}: {why}. Choose another with --port"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(read: Read) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(read))
    return registry
