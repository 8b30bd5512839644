"""Files: written whole or not at all, locked for one process, and errors in one sentence."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from elman.errors import CheckpointError, ElmanError, FileError
from elman.files import locked, read_bytes, remove_partial, whole, write_whole


@pytest.mark.parametrize(("data", "content"), [(b"\0new", b"\0new"), ("Žofie\n", "Žofie\n".encode())])
def test_the_file_has_the_new_content_and_nothing_lies_beside_it(
    tmp_path: Path, data: bytes | str, content: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_whole(path, data)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half of the ne")
        _ = 1 / 0
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_sentence_of_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"
    with pytest.raises(FileError) as error:
        write_whole(path, b"data")
    assert str(error.value) == f"cannot write {path}: No such file or directory"
    with pytest.raises(CheckpointError) as error:
        write_whole(path, b"data", CheckpointError, "make the folder first")
    assert str(error.value) == f"cannot write {path}: No such file or directory; make the folder first"
    assert isinstance(error.value, ElmanError)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError) as error:
        read_bytes(tmp_path / "file", 4, advice="copy the whole folder")
    assert str(error.value) == f"{tmp_path / 'file'} does not exist: copy the whole folder"
    (tmp_path / "file").write_bytes(b"data")
    assert read_bytes(tmp_path / "file", 4) == b"data"


def test_what_a_killed_process_left_is_found_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = (
        "import os, signal, sys; from pathlib import Path; from elman.files import whole\n"
        "with whole(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1
    remove_partial(tmp_path)
    assert not list(tmp_path.iterdir())


HOLD = """
import sys
from pathlib import Path
from elman.files import locked
with locked(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_for_one_process_and_kill_9_releases_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CheckpointError) as error, locked(path, "another process is at it", CheckpointError):
            pass
        assert str(error.value) == "another process is at it"
        holder.kill()
    for _ in range(2):  # free again, also after it was released in order
        with locked(path, "taken"), pytest.raises(FileError, match="taken"), locked(path, "taken"):
            pass


def test_a_lock_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(FileError) as error, locked(tmp_path / "lock", "taken"):
        pass
    assert str(error.value).startswith(f"cannot lock {tmp_path / 'lock'}: ")
    assert "\n" not in str(error.value)
