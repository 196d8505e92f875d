"""The answer that a request's `Accept` header asks for."""

from collections.abc import Iterator

from starlette.requests import Request


def wants_json(request: Request) -> bool:
    """
    Return True if JSON has a strictly higher quality than every picture (RFC 9110, 12.5.1).

    Real clients that want the picture also name JSON: axios sends `application/json, text/plain, */*`.
    """
    qualities = dict(_qualities(request.headers.get("Accept", "")))
    picture = max((q for kind, q in qualities.items() if kind == "*/*" or kind.startswith("image/")), default=0.0)
    return qualities.get("application/json", 0.0) > picture


def _qualities(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            yield kind, float(quality)
        except ValueError:
            yield kind, 0.0
