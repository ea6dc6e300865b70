"""The process of the parsers: kept for the next file, ended after a bad one, and able to do no harm."""

import os
import signal
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relabel_assets.intake.formats.parsing import process
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.intake.formats import samples

COPIED = (
    "__init__.py", "intake/__init__.py", "intake/set_aside.py", "intake/input_limits.py",
    "intake/formats/__init__.py", "intake/formats/file_text.py",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_process_before_and_after() -> Iterator[None]:
    process.close_all()
    yield
    process.close_all()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that the process reads files with, instead of a format's: what `content` says is run."""
    folder = tmp_path / "package"
    source = Path(process.__file__).parents[4] / "relabel_assets"
    target = folder / "relabel_assets" / "intake" / "formats"
    target.mkdir(parents=True)
    for name in COPIED:
        (folder / "relabel_assets" / name).write_bytes((source / name).read_bytes())
    code = """
        from relabel_assets.intake.formats.file_text import FileText

        def read(name, content, on_page):
            exec(content.decode())
            yield FileText(str(__import__("os").getpid()))
    """
    (target / "told.py").write_text(textwrap.dedent(code))
    monkeypatch.setattr(process, "_PACKAGE_FOLDER", folder)
    yield tmp_path


def pid_of(code: str = "") -> int:
    [text] = process.parse("told", "a.told", code.encode())
    return int(text.body)


def test_a_process_is_kept_for_the_next_file(reader: Path) -> None:
    assert pid_of() == pid_of() != os.getpid()


def test_an_error_costs_the_file_and_not_the_process(reader: Path) -> None:
    first = pid_of()
    with pytest.raises(SetAside, match=r"damaged and cannot be read as \.told$"):
        pid_of("raise KeyError('x')")
    with pytest.raises(SetAside, match=r"read as \.told: at byte 7"):
        pid_of("import zlib; raise zlib.error('at byte 7')")
    with pytest.raises(SetAside, match="too deep inside"):
        pid_of("f = lambda g: g(g); f(f)")
    assert pid_of() == first


def test_a_crash_costs_the_file_and_the_process(reader: Path) -> None:
    first = pid_of()
    with pytest.raises(SetAside, match="parser crashed") as raised:
        pid_of(f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    assert raised.value.remedy
    assert pid_of() != first


@pytest.mark.parametrize("where", ["import time; time.sleep(600)", "while True: pass"])
def test_a_hang_is_ended(reader: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    first = pid_of()
    monkeypatch.setattr(process, "PARSER_IDLE_S", 0.5)
    started = time.monotonic()
    with pytest.raises(SetAside, match=r"more than 0\.5 s"):
        pid_of(where)
    assert time.monotonic() - started < 60
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_pages_give_time_but_not_for_ever(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "import time\nfor n in range({}): time.sleep(0.1); on_page(n)"
    monkeypatch.setattr(process, "PARSER_IDLE_S", 5)
    monkeypatch.setattr(process, "PARSER_FILE_S", 30)
    pid_of(slow.format(3))
    monkeypatch.setattr(process, "PARSER_FILE_S", 2)
    with pytest.raises(SetAside, match="more than 2 s"):
        pid_of(slow.format(10_000))


def test_memory_is_limited(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PARSER_MEMORY_BYTES", 2**30)
    with pytest.raises(SetAside, match="more than 1 GiB"):
        pid_of("bytearray(2**31)")


@pytest.mark.slow
def test_a_process_that_grew_is_not_used_again(reader: Path) -> None:
    fills = "global x; x = bytearray(1100 * 2**20); x[::4096] = b'1' * len(x[::4096])"
    first = pid_of(fills)
    second = pid_of(f"{fills}; del x")
    assert first != second == pid_of()


@pytest.mark.slow
def test_a_process_of_a_large_parent_is_kept(reader: Path) -> None:
    large = bytearray(1100 * 2**20)
    large[::4096] = b"1" * len(large[::4096])
    first = pid_of()
    assert pid_of() == first


def test_a_process_that_waited_long_is_not_used_again(
    reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pid_of()
    monkeypatch.setattr(process, "_KEPT_IDLE_S", 0)
    assert pid_of() != first


@pytest.mark.parametrize(
    "deed",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "open('{folder}/written', 'w')",
        "import os; os.open('{folder}/written', os.O_CREAT | os.O_WRONLY)",
        "import os; os.mkdir('{folder}/made')",
        "import os; os.remove('{folder}/kept')",
    ],
)
def test_a_parser_may_use_no_network_no_program_and_write_no_file(reader: Path, deed: str) -> None:
    (reader / "kept").touch()
    before = sorted(reader.rglob("*"))
    with pytest.raises(SetAside, match="damaged"):
        pid_of(deed.format(folder=reader))
    assert sorted(reader.rglob("*")) == before


def test_what_a_library_prints_is_no_text(reader: Path) -> None:
    assert pid_of("print('{\"text\": 1}'); import sys; sys.stdout.flush()")


def test_long_texts_and_long_metadata_are_cut_or_named(reader: Path) -> None:
    yields = (
        "global FileText, file_text\nfrom relabel_assets.intake.formats import file_text\n"
        "FileText = lambda body: file_text.FileText({})"
    )
    with pytest.raises(SetAside, match="4,000,001 characters"):
        process.parse("told", "a.told", yields.format("'x' * 4_000_001").encode())
    large = "'x', metadata={'outline': ['x' * 99] * 1000, 'pages': 3}"
    [text] = process.parse("told", "a.told", yields.format(large).encode())
    assert text.metadata == {"pages": 3}
    assert "outline of its metadata is left out" in text.notes[0]


def test_a_large_file_reaches_a_process_that_ends_while_it_is_sent(
    reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = reader / "child.py"
    child.write_text("import os; os.read(0, 10)")
    monkeypatch.setattr(process, "_CHILD", child)
    with pytest.raises(SetAside, match="parser crashed"):
        process.parse("html", "a.html", bytes(10_000_000))
    child.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(process, "PARSER_IDLE_S", 0.5)
    with pytest.raises(SetAside, match="more than"):
        process.parse("html", "a.html", bytes(10_000_000))


def test_ctrl_c_stops_at_once(reader: Path) -> None:
    import threading

    timer = threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pid_of("import time; time.sleep(600)")
    assert time.monotonic() - started < 30
    assert process._idle == []


def test_threads_have_a_process_each(reader: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        pids = set(pool.map(pid_of, ["import time; time.sleep(2)"] * 2))
    assert len(pids) == 2


def test_the_process_of_a_format_loads_little_of_the_project() -> None:
    page = samples.PAGE.encode()
    assert [text.title for text in process.parse("html", "a.html", page)] == ["Parental leave"]
    [kept] = process._idle
    maps = Path(f"/proc/{kept._process.pid}/maps")
    if maps.exists():
        assert "polars" not in maps.read_text()
