"""The systemd unit: what systemd itself says of it. It is not started, for that takes a machine that systemd runs."""

import shutil
import subprocess

import pytest
from exporter import ROOT

UNIT = ROOT / "config" / "systemd" / "cloud-task-exporter.service"
KEYS = ROOT / "config" / "systemd" / "keys.conf"
# Tenths of systemd's measure of exposure, from 0 to 100. What is left is the network, which the exporter is for.
EXPOSURE = 12


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def installed(binary, tmp_path):
    """The unit and its drop-in as they are installed, but for the place of the binary."""
    text = UNIT.read_text()
    assert text.count("ExecStart=/usr/local/bin/cloud-task-exporter ") == 1
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("/usr/local/bin/cloud-task-exporter ", f"{binary.resolve()} "))
    dropins = tmp_path / f"{UNIT.name}.d"
    dropins.mkdir()
    shutil.copy(KEYS, dropins)
    return unit


def test_systemd_finds_no_fault(installed):
    verified = analyze("verify", installed)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_systemd_would_find_a_fault(installed):
    """Without this the test above could be one that finds nothing ever."""
    for path in (installed, installed.parent / f"{UNIT.name}.d" / KEYS.name):
        sound = path.read_text()
        path.write_text(sound + "\n[Service]\nProtectEverything=yes\n")
        assert "ProtectEverything" in analyze("verify", installed).stderr
        path.write_text(sound)


def test_the_service_is_shut_in():
    judged = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", UNIT)
    assert judged.returncode == 0, judged.stdout[-2000:]
