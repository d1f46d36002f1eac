"""The systemd units of deploy/: systemd understands all that they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from running import TOP

UNITS = ("ankisync.socket", "ankisync@.service")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        text = (TOP / "deploy" / name).read_text()
        # Installed it is there.
        (tmp_path / name).write_text(text.replace("/usr/local/libexec/ankisync.fcgi", str(TOP / "build/fcgi/ankisync.fcgi")))
    (tmp_path / "ankisync@1.service").symlink_to("ankisync@.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "ankisync.socket", tmp_path / "ankisync@1.service"],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}, capture_output=True, text=True, timeout=120,
    )
    # Its status is about other units of this machine, too.
    complaints = [line for line in done.stderr.splitlines() if re.search(r"ankisync[@.]", line)]
    assert complaints == []
