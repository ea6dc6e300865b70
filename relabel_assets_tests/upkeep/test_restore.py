"""Restoring archives that somebody made to harm, and failures at every step: the home is as it was."""

import gzip
import io
import lzma
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.home import Home
from relabel_assets.intake.input_limits import MAX_FOLDER_DEPTH
from relabel_assets.upkeep import archive
from relabel_assets.upkeep import restore as restore_module
from relabel_assets.upkeep.backup import back_up
from relabel_assets.upkeep.restore import restore
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel

pytestmark = pytest.mark.slow
Member = tuple[tarfile.TarInfo, bytes]


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with a warehouse of one row, a model, a ledger and a report."""
    folder = tmp_path_factory.mktemp("backup")
    home = Home(folder / "home")
    for name in ("models/tiny/s1/student.json", "ledger/tiny/1.jsonl", "reports/tiny.html"):
        (home.path / name).parent.mkdir(parents=True, exist_ok=True)
        (home.path / name).write_bytes(b"x" * 3000)
    warehouse = Warehouse.at(home.warehouse)
    rows = warehouse.read("seed_docs", "tiny")
    warehouse.replace("seed_docs", "tiny", rows, input_hash="0" * 64)
    back_up(home, warehouse, folder / "backup.tar.gz")
    return folder / "backup.tar.gz"


def members(backup: Path) -> list[Member]:
    with tarfile.open(backup) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar.getmembers()]  # type: ignore[union-attr]


def write(file: Path, content: list[Member], **options: object) -> Path:
    with tarfile.open(file, "w:gz", **options) as tar:  # type: ignore[call-overload]
        for member, data in content:
            tar.addfile(member, io.BytesIO(data))
    return file


def member(name: str, data: bytes = b"x", **fields: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_refused(file: Path, folder: Path, message: str) -> None:
    """`file` is refused with `message`, and neither the home nor a file beside it is there then."""
    before = tree(folder)
    with pytest.raises(ConfigError, match=message):
        restore(Home(folder / "parent" / "home"), file)
    assert tree(folder) == before


HOSTILE: dict[str, tuple[Member, str]] = {
    "parent folder": (member("models/../../x"), "a name with"),
    "only dots": (member(".."), "a name with"),
    "absolute": (member("/tmp/x"), "an absolute name"),
    "dot": (member("./models/x"), "empty part"),
    "empty part": (member("models//x"), "empty part"),
    "control character": (member("models/a\x1b[31m"), r"\\x1b.*control characters"),
    "line break": (member("models/a\nb"), "control characters"),
    "not UTF-8": (member("models/\udcff"), r"\\xff.*not UTF-8"),
    "too deep": (member("models/" + "d/" * MAX_FOLDER_DEPTH + "x"), "folders deep"),
    "too long": (member("models/" + "n" * 256), "more than 255 bytes"),
    "unknown part": (member("dagster/dagster.yaml"), "no part of a backup"),
    "unknown file": (member("authorized_keys"), "no part of a backup"),
    "part as a file": (member("models"), "no part of a backup"),
    "wal": (member("warehouse.duckdb.wal"), "no part of a backup"),
    "twice": (member("warehouse.duckdb"), "there twice"),
    "below a file": (member("models/tiny/s1/student.json/x"), "a file and a folder"),
    "a folder as a file": (member("models/tiny"), "a file and a folder"),
    "link": (member("models/x", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a link"),
    "link inside": (member("models/x", b"", type=tarfile.SYMTYPE, linkname="tiny"), "a link"),
    "hard link": (
        member("models/x", b"", type=tarfile.LNKTYPE, linkname="warehouse.duckdb"),
        "a hard link",
    ),
    "pipe": (member("ledger/x", b"", type=tarfile.FIFOTYPE), "a pipe"),
    "device": (member("ledger/x", b"", type=tarfile.CHRTYPE), "a device"),
    "disk": (member("ledger/x", b"", type=tarfile.BLKTYPE), "a device"),
    "sparse": (member("models/x", b"", type=tarfile.GNUTYPE_SPARSE), "a sparse file"),
    "unknown type": (member("models/x", b"", type=b"Z"), "no regular file"),
    "folder outside": (member("../x", b"", type=tarfile.DIRTYPE), "a name with"),
    "long link": (
        member("models/x", b"", type=tarfile.SYMTYPE, linkname="/" + "x" * 300),
        "a link|no regular file",
    ),
    "pax sparse": (
        member("models/x", pax_headers={"GNU.sparse.size": "1", "GNU.sparse.name": "/x"}),
        "a sparse file",
    ),
    "pax name": (member("models/x", pax_headers={"path": "../../x"}), "a name with"),
    "pax size": (member("models/x", pax_headers={"size": "9" * 30}), "impossible size"),
    "pax negative size": (member("models/x", pax_headers={"size": "-5"}), "impossible size"),
    "huge header": (member("models/x", pax_headers={"comment": "x" * 100_000}), "a header of it"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_hostile_member_is_refused_by_name_wherever_it_is(
    backup: Path, tmp_path: Path, name: str, is_first: bool
) -> None:
    hostile, message = HOSTILE[name]
    if is_first and name in ("twice", "below a file", "a folder as a file"):
        message = "there twice|a file and a folder"
    content = [hostile, *members(backup)] if is_first else [*members(backup), hostile]
    assert_refused(write(tmp_path / "backup.tar.gz", content), tmp_path, message)


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_dialect_of_tar_is_restored(backup: Path, tmp_path: Path, format: int) -> None:
    long_name = "models/tiny/" + "/".join(["a long name of a folder"] * 5) + "/x"
    content = [member("models", b"", type=tarfile.DIRTYPE), *members(backup), member(long_name)]
    for info, _ in content:
        info.pax_headers = {}
    restored = Home(tmp_path / "home")
    file = write(tmp_path / "backup.tar.gz", content, format=format)
    assert restore(restored, file) == ["models", "ledger", "reports", "warehouse.duckdb"]
    assert (restored.path / long_name).read_bytes() == b"x"
    assert (restored.path / "ledger/tiny/1.jsonl").read_bytes() == b"x" * 3000
    assert restored.path.stat().st_mode & 0o777 == 0o700


def test_a_truncated_archive_is_refused_wherever_it_ends(backup: Path, tmp_path: Path) -> None:
    content = backup.read_bytes()
    for end in [*range(0, 40, 7), *range(40, len(content), len(content) // 20), len(content) - 1]:
        (tmp_path / "backup.tar.gz").write_bytes(content[:end])
        assert_refused(tmp_path / "backup.tar.gz", tmp_path, "cannot be restored")
    tar = gzip.decompress(content)
    for end in (0, 100, 512, 1000, len(tar) // 2):
        (tmp_path / "backup.tar.gz").write_bytes(gzip.compress(tar[:end], 1))
        assert_refused(tmp_path / "backup.tar.gz", tmp_path, "ends in the middle")


@pytest.mark.parametrize("position", [0.01, 0.3, 0.6, 0.99])
def test_a_changed_byte_is_noticed(backup: Path, tmp_path: Path, position: float) -> None:
    content = bytearray(backup.read_bytes())
    content[int(len(content) * position)] ^= 0xFF
    (tmp_path / "backup.tar.gz").write_bytes(content)
    assert_refused(tmp_path / "backup.tar.gz", tmp_path, "cannot be restored|damaged")


@pytest.mark.parametrize(
    "packed",
    [
        lambda tar, file: file.write_bytes(tar),
        lambda tar, file: file.write_bytes(lzma.compress(tar, preset=0)),
        lambda tar, file: zipfile.ZipFile(file, "w").writestr("warehouse.duckdb", tar),
        lambda tar, file: file.write_bytes(b""),
        lambda tar, file: file.write_bytes(gzip.compress(b"")),
        lambda tar, file: file.write_bytes(gzip.compress(os.urandom(5000))),
        lambda tar, file: file.write_bytes(gzip.compress(bytes(5000))),
        lambda tar, file: file.mkdir(),
        lambda tar, file: os.mkfifo(file),
        lambda tar, file: None,
    ],
)
def test_another_kind_of_file_is_refused(
    backup: Path, tmp_path: Path, packed: Callable[[bytes, Path], object]
) -> None:
    packed(gzip.decompress(backup.read_bytes()), tmp_path / "backup.tar.gz")
    assert_refused(tmp_path / "backup.tar.gz", tmp_path, "cannot be restored|no backup|is no file")


def test_a_bomb_ends_at_the_limit_whatever_it_declares(backup: Path, tmp_path: Path) -> None:
    file = write(
        tmp_path / "backup.tar.gz", [*members(backup), member("models/x", bytes(50_000_000))]
    )
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigError, match=r"unpacks to more than 0.0 GB.*--max-gb"):
        restore(home, file, max_bytes=20_000_000)
    assert not home.path.exists()
    assert restore(home, file, max_bytes=60_000_000)


def test_the_number_of_files_is_limited(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE_FILES", 4)
    assert restore(Home(tmp_path / "home"), backup)
    file = write(tmp_path / "backup.tar.gz", [*members(backup), member("models/x")])
    assert_refused(file, tmp_path, "more than 4 files")


def warehouse_of(write_file: Callable[[Path], object], backup: Path, folder: Path) -> Path:
    """A backup whose warehouse.duckdb is what `write_file` writes."""
    write_file(folder / "other.duckdb")
    data = (folder / "other.duckdb").read_bytes()
    (folder / "other.duckdb").unlink()
    rest = [pair for pair in members(backup) if pair[0].name != "warehouse.duckdb"]
    return write(folder / "backup.tar.gz", [*rest, member("warehouse.duckdb", data)])


def foreign(file: Path, statement: str) -> None:
    with duckdb.connect(str(file)) as con:
        con.execute(statement)


@pytest.mark.parametrize(
    "write_file",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"SQLite format 3\0" + bytes(5000)),
        lambda file: foreign(file, "create table seed_docs (a int)"),
        lambda file: foreign(file, "create view seed_docs as select 1 as corpus"),
    ],
)
def test_a_warehouse_of_another_program_is_refused(
    backup: Path, tmp_path: Path, write_file: Callable[[Path], object]
) -> None:
    file = warehouse_of(write_file, backup, tmp_path)
    assert_refused(file, tmp_path, "is no backup, or damaged: ")


def test_a_warehouse_whose_rows_are_damaged_is_refused(tmp_path: Path, own_home: Path) -> None:
    back_up(Home(own_home), Warehouse.at(own_home / "warehouse.duckdb"), tmp_path / "a.tar.gz")

    def damage(file: Path) -> None:
        data = bytearray((own_home / "warehouse.duckdb").read_bytes())
        for offset in range(100_000, len(data), 50_000):
            data[offset] ^= 0xFF
        file.write_bytes(data)

    file = warehouse_of(damage, tmp_path / "a.tar.gz", tmp_path)
    with pytest.raises(ConfigError, match="is no backup, or damaged"):
        restore(Home(tmp_path / "restored"), file)
    assert not (tmp_path / "restored").exists()


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("step", ["write", "test", "move", "publish"])
def test_a_failure_at_any_step_leaves_the_home_as_it_was(
    backup: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
    is_new: bool,
) -> None:
    home = Home(tmp_path / "parent" / "home")
    if not is_new:
        (home.path / "dagster").mkdir(parents=True)
        (home.path / "dagster" / "dagster.yaml").touch()
    before = tree(tmp_path)
    rename, n_moved = Path.rename, 0

    def fail(*_: object, **__: object) -> None:
        raise error

    def move_two(path: Path, target: Path) -> Path:
        nonlocal n_moved
        n_moved += 1
        if n_moved == 3:
            raise error
        return rename(path, target)

    if step == "write":
        monkeypatch.setattr(restore_module, "_require_space", fail)
    elif step == "test":
        monkeypatch.setattr(Warehouse, "read_all", fail)
    elif step == "move":
        monkeypatch.setattr(Path, "rename", move_two)
    else:
        monkeypatch.setattr(Warehouse, "publish_all", fail)
    with pytest.raises(ConfigError if isinstance(error, OSError) else KeyboardInterrupt):
        restore(home, backup)
    monkeypatch.undo()
    assert tree(tmp_path) == before
    assert restore(home, backup)


def test_a_full_disk_is_noticed_before_it_is_full(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=499_999_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert_refused(backup, tmp_path, "the disk is full")


def test_the_command_creates_no_home_for_a_backup_that_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    (tmp_path / "x.tar.gz").write_bytes(b"text")
    done = relabel("restore", str(tmp_path / "x.tar.gz"), "--max-gb", "0.5")
    assert (done.returncode, "x.tar.gz cannot be restored" in done.stderr) == (4, True), done.stderr
    assert not (tmp_path / "home").exists()


def test_a_backup_follows_links_and_leaves_out_what_is_no_file(
    backup: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    restore(home, backup)
    (tmp_path / "elsewhere.json").write_text("{}")
    models = home.path / "models"
    (models / "link.json").symlink_to(tmp_path / "elsewhere.json")
    os.link(models / "tiny/s1/student.json", models / "hard.json")
    (models / "gone").symlink_to("/nowhere/x")
    os.mkfifo(home.path / "ledger" / "pipe")
    (models / os.fsdecode(b"\xff")).touch()
    back_up(home, Warehouse.at(home.warehouse), tmp_path / "again.tar.gz")
    other = Home(tmp_path / "other")
    restore(other, tmp_path / "again.tar.gz")
    assert (other.path / "models" / "link.json").read_text() == "{}"
    assert (other.path / "models" / "hard.json").read_bytes() == b"x" * 3000
    assert sorted(path.name for path in (other.path / "models").iterdir()) == [
        "hard.json",
        "link.json",
        "tiny",
    ]
