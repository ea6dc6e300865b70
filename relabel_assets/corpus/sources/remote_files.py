"""Files at an address of fsspec: their names and versions, and their bytes.

What belongs here: everything that calls fsspec, and what its errors may say. What does not: which files are
read, and where their bytes are kept (url_source.py).

Only what lies under the address is fetched: what a listing names elsewhere is left out, and a server that
sends a request to another host is refused.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from relabel_assets.errors import ConfigError
from relabel_assets.intake.one_input import reason_of
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import one_line

# What file systems call a version of a file that changes with its content.
_HASHES = ("ETag", "etag", "md5Hash", "crc32c", "content_md5", "Content-MD5", "Digest", "checksum")
_TIMES = (
    "mtime",
    "LastModified",
    "last_modified",
    "Last-Modified",
    "updated",
    "modified",
    "created",
)
_GLOB = re.compile(r"[*?\[]")
_AT_ONCE = 64  # requests in flight, for file systems that can
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}


@dataclass(frozen=True)
class RemoteFile:
    """A file under an address: its path there, its size in bytes, and its version; None if not known."""

    name: str
    size: int | None
    version: str | None


class RemoteFiles:
    """The files at `url`. Raises ConfigError for an address that cannot be used."""

    def __init__(self, url: str) -> None:
        self._secrets = _secrets_of(url)
        self.shown = shown_url(url)
        if "::" in url:
            raise ConfigError(f"documents.url is {self.shown}: chains of addresses are not read.")
        base, self._pattern = _split(url)
        try:
            import fsspec
        except ImportError as error:
            raise ConfigError(
                "documents.url needs the extra: pip install 'relabel-assets[remote]'"
            ) from error
        protocol = urlsplit(base).scheme or "file"
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if protocol in ("http", "https"):
            options["get_client"] = _client_of_one_host
        try:
            self._fs, root = fsspec.core.url_to_fs(base, **options)
        except ImportError as error:
            package = _PACKAGES.get(protocol, "the package of that file system")
            message = f"documents.url is {self.shown}, which needs {package}: pip install {package}"
            raise ConfigError(message) from error
        except Exception as error:
            raise ConfigError(f"documents.url is {self.shown}: {self.reason(error)}") from error
        self._root = root.rstrip("/")
        # A web server answers for a folder as for a file.
        self._is_folder = base.endswith("/") or not urlsplit(base).path

    def listing(self) -> list[RemoteFile]:
        """The files that the address names, sorted. Raises an error of the file system."""
        if self._pattern is None and not self._is_folder and self._fs.isfile(self._root):
            self._root, _, name = self._root.rpartition("/")
            return self._described({name: self._fs.info(f"{self._root}/{name}")})
        found = self._found()
        is_meant = self._matcher()
        named = {
            name: info
            for path, info in found.items()
            if (name := self._name_of(path)) is not None and is_meant(name)
        }
        return self._described(named)

    def _found(self) -> Mapping[str, Mapping[str, Any]]:
        """Every file under the root. Raises the error of a folder that cannot be listed.

        fsspec's own walk would leave such a folder out without a word. A link to no folder is left out: web
        servers list some.
        """
        from fsspec import AbstractFileSystem
        from fsspec.asyn import AsyncFileSystem

        errors: list[Exception] = []
        kind = type(self._fs)
        is_walk = getattr(kind, "_find", None) is AsyncFileSystem._find
        is_walk = is_walk or kind.find is AbstractFileSystem.find
        options = {"on_error": errors.append} if is_walk else {}
        found: dict[str, Mapping[str, Any]] = self._fs.find(self._root, detail=True, **options)
        serious = [error for error in errors if not isinstance(error, FileNotFoundError)]
        if serious or (errors and not found):
            raise (serious or errors)[0]
        return found

    def fetch(
        self, names: Iterable[str], max_bytes: Callable[[str], int]
    ) -> Mapping[str, bytes | SetAside]:
        """The bytes of the files `names`, or the reason why there are none."""
        paths = {f"{self._root}/{name}": name for name in names}
        got = self._fs.cat(list(paths), on_error="return")
        result: dict[str, bytes | SetAside] = {}
        for path, name in paths.items():
            content = got.get(path)
            if isinstance(content, bytes) and len(content) > max_bytes(name):
                content = SetAside(f"it has more than {max_bytes(name):,} bytes", "Split it.")
            elif not isinstance(content, bytes):
                reason = self.reason(content) if isinstance(content, BaseException) else "no answer"
                content = SetAside(f"it cannot be fetched: {reason}", "Run this again.")
            result[name] = content
        return result

    def reason(self, error: BaseException) -> str:
        """One line for an error of a file system, without secrets of the address."""
        text = one_line(reason_of(error))
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _described(self, found: Mapping[str, Mapping[str, Any]]) -> list[RemoteFile]:
        infos = dict(found)
        unknown = [name for name, info in infos.items() if _version(info) is None]
        infos |= zip(unknown, self._infos(unknown), strict=True)
        files = [RemoteFile(name, infos[name].get("size"), _version(infos[name])) for name in infos]
        return sorted(files, key=lambda file: file.name)

    def _infos(self, names: list[str]) -> list[Mapping[str, Any]]:
        """What the file system says about each file, for one whose listing says too little (HTTP)."""
        from fsspec.asyn import AsyncFileSystem, _run_coros_in_chunks, sync

        paths = [f"{self._root}/{name}" for name in names]
        if isinstance(self._fs, AsyncFileSystem):
            asked = [self._fs._info(path) for path in paths]
            found = sync(
                self._fs.loop,
                _run_coros_in_chunks,
                asked,
                batch_size=_AT_ONCE,
                return_exceptions=True,
            )
            return [info if isinstance(info, dict) else {} for info in found]
        return [{} for _ in paths]

    def _name_of(self, path: str) -> str | None:
        """The path of a file under the root; None for one that is not."""
        inside = path.removeprefix(f"{self._root}/")
        parts = inside.split("/")
        is_inside = path.startswith(f"{self._root}/") and not {"", ".", ".."} & {*parts}
        return (
            inside if is_inside and "\\" not in inside and "%2e%2e" not in inside.lower() else None
        )

    def _matcher(self) -> Callable[[str], bool]:
        if self._pattern is None:
            return lambda name: True
        from fsspec.utils import glob_translate

        pattern = re.compile(glob_translate(self._pattern))
        return lambda name: pattern.match(name) is not None


def _split(url: str) -> tuple[str, str | None]:
    """The folder before the first * of an address, and the pattern below it.

    >>> _split("s3://wiki/export/**/*.md"), _split("file:///srv/docs")
    (('s3://wiki/export', '**/*.md'), ('file:///srv/docs', None))
    """
    start = url.find("://") + 3 if "://" in url else 0
    found = _GLOB.search(url, start)
    if found is None or (url.startswith("http") and found.group() == "?"):
        return url, None
    folder, _, _ = url[: found.start()].rpartition("/")
    return folder, url[len(folder) + 1 :]


def _version(info: Mapping[str, Any]) -> str | None:
    """What changes with the content of a file: a hash where its file system has one, else size and time."""
    known = {name: info[name] for name in _HASHES if info.get(name)}
    if not known:
        known = {name: info[name] for name in _TIMES if info.get(name)}
    if not known:
        return None
    text = f"{info.get('size')} {sorted((name, str(value)) for name, value in known.items())}"
    return hashlib.sha256(text.encode()).hexdigest()


def shown_url(url: str) -> str:
    """An address for messages: without a password and without what is after ?.

    >>> shown_url("https://ana:secret@host/docs/*.md?token=x")
    'https://host/docs/*.md'
    """
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    path = path if scheme not in ("http", "https") else path.split("?")[0]
    return one_line(f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}")


def _secrets_of(url: str) -> list[str]:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return sorted(filter(None, {user, parts.password, parts.query}), key=len, reverse=True)


async def _client_of_one_host(**kwargs: Any) -> Any:
    """fsspec's HTTP client, which is refused a redirect to another host."""
    import aiohttp

    async def check(session: Any, context: Any, redirect: Any) -> None:
        location = redirect.response.headers.get("Location", "")
        host = urlsplit(str(redirect.url)).netloc
        target = urlsplit(location).netloc or host
        if target != host:
            raise PermissionError(0, f"{host} sends the request to another host, {target}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(check)
    return aiohttp.ClientSession(trace_configs=[trace], **kwargs)
