"""Serving the review page: the socket, the token, and the end with Ctrl-C.

What belongs here: where the server listens, and the address that opens the page. What does not: what it
answers (server.py, guard.py).
"""

import errno
import ipaddress
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from relabel_assets.errors import ConfigError
from relabel_assets.intake.one_input import reason_of
from relabel_assets.intake.text import shown
from relabel_assets.review.pairs_to_review import PairsToReview

# A grade that is being written takes milliseconds. The command's supervisor waits 2.8 s.
_SECONDS_TO_END = 1


@dataclass(frozen=True)
class Address:
    """Where the page is. `url` has the token, if there is one."""

    url: str
    is_local: bool


def serve_review(
    pairs: PairsToReview,
    *,
    host: str,
    ports: Sequence[int],
    assessor: str | None,
    announce: Callable[[Address], object],
) -> None:
    """Serve the page at the first free one of `ports` until Ctrl-C, which raises KeyboardInterrupt.

    `announce` is told the address once it can be opened. Raises ConfigError where the server cannot
    listen.

    >>> from pathlib import Path
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> pairs = PairsToReview("demo", Path("no/reviews"), default_rubric(), [], {}, {})
    >>> with listening("127.0.0.1", [0]) as other:  # another server
    ...     ports = [other.getsockname()[1]]
    ...     serve_review(pairs, host="127.0.0.1", ports=ports, assessor=None, announce=print)
    Traceback (most recent call last):
    relabel_assets.errors.ConfigError: port ... of 127.0.0.1 is in use, perhaps by another ...
    """
    import uvicorn

    from relabel_assets.review.page.guard import Guard
    from relabel_assets.review.page.server import ReviewServer

    with listening(host, ports) as opened:
        port = opened.getsockname()[1]
        is_local = ipaddress.ip_address(opened.getsockname()[0]).is_loopback
        token = None if is_local else secrets.token_urlsafe(32)
        app = ReviewServer(pairs, assessor=assessor).app()
        config = uvicorn.Config(
            Guard(app, token=token, cookie=f"relabel_review_{port}"),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )
        announce(Address(_url(host, port, token), is_local))
        uvicorn.Server(config).run(sockets=[opened])


def listening(host: str, ports: Sequence[int]) -> socket.socket:
    """A socket that listens at `host`, at the first free one of `ports`; 0 is any free port.

    Raises ConfigError where none is free, or where `host` is no address of this machine.

    >>> with listening("127.0.0.1", [0]) as one, listening("127.0.0.1", [0]) as other:
    ...     one.getsockname() == other.getsockname()
    False
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host is {shown(host)}: {reason_of(error)}. {_HOSTS}") from error
    family, kind, protocol, _, place = found[0]
    for port in ports:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((place[0], port, *place[2:]))
            opened.listen(128)
        except OSError as error:
            opened.close()
            if error.errno != errno.EADDRINUSE:
                why = f"{shown(host)}, port {port}: {reason_of(error)}"
                raise ConfigError(f"the page cannot listen at {why}. {_HOSTS}") from error
        else:
            return opened
    used = f"port {ports[0]} of" if len(ports) == 1 else f"ports {ports[0]} to {ports[-1]} of"
    raise ConfigError(
        f"{used} {host} {'is' if len(ports) == 1 else 'are'} in use, perhaps by another "
        f"`relabel review serve`. Choose another: --port {ports[-1] % 65535 + 1}"
    )


_HOSTS = "Use 127.0.0.1 for this machine alone, or 0.0.0.0 for all of its addresses."


def _url(host: str, port: int, token: str | None) -> str:
    """The address for a browser. Where the server listens everywhere, it is the machine's name."""
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?{urlencode({'token': token})}" if token else "")
