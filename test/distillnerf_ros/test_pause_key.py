import os
import pty
import sys
import termios
from pathlib import Path

from distillnerf_ros.pause_key import PauseKey

# A pseudo terminal becomes the controlling one of a fresh session only, so the keys are read in a child.
CODE = """
import os, sys, time
from distillnerf_ros.pause_key import PauseKey
with PauseKey() as key:
    print("ready", key.available, flush=True)
    seen = []
    while len(seen) < 2:
        if key.pressed():
            seen.append(True)
            print("pressed", flush=True)
        time.sleep(0.01)
"""


def _read_until(descriptor: int, word: bytes) -> bytes:
    text = b""
    while word not in text:
        text += os.read(descriptor, 256)
    return text


def test_the_space_bar_is_read_in_a_terminal_which_is_restored() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", CODE])
    try:
        before = termios.tcgetattr(terminal)
        assert b"ready True" in _read_until(terminal, b"True")
        assert termios.tcgetattr(terminal) != before
        for keys in (b"x ", b"   "):
            os.write(terminal, keys)
            _read_until(terminal, b"pressed")
    finally:
        _, status = os.waitpid(child, 0)
    assert status == 0
    assert termios.tcgetattr(terminal) == before
    os.close(terminal)


def test_elsewhere_there_is_no_key(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file, PauseKey(file.fileno()) as key:
        assert not key.available
        assert not key.pressed()
