"""The data commands: what they print, where, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run
from mini_data import FileServer

from lnf_core.data import DATASETS


def data(*arguments: str) -> tuple[int, str, str]:
    result = run("data", *arguments)
    return result.exit_code, result.stdout, result.stderr


def test_download_then_verify(data_root: Path, server: FileServer, tmp_path: Path) -> None:
    server.files["JSB_Chorales.mat"] = (data_root / "music/JSB_Chorales.mat").read_bytes()
    code, out, err = data("download", "jsb", "--root", str(tmp_path), "--url", server.url)
    assert (code, err) == (0, "")
    assert DATASETS["jsb"].credit in out
    assert data("verify", "jsb", "--root", str(tmp_path))[0] == 0


def test_no_network_is_one_sentence(closed_url: str, tmp_path: Path) -> None:
    code, _, err = data("download", "jsb", "--root", str(tmp_path), "--url", closed_url)
    assert code == 1
    assert err.count("\n") == 1 and "check the network connection" in err
    assert list(tmp_path.rglob("*")) == []


def test_verify_reports_every_data_set(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music/MuseData.mat").write_bytes(b"half")
    code, out, err = data("verify", "--root", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.count("\n") == len(DATASETS)
    assert err.count("not on this machine") == 4 and "MuseData.mat is damaged" in err


@pytest.mark.parametrize("command", ["download", "verify"])
def test_unknown_names(command: str, tmp_path: Path) -> None:
    code, out, err = data(command, "bach", "--root", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.startswith("There is no data set 'bach'")


def test_verify_of_the_real_data_by_environment(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    code, out, _ = data("verify")
    assert code == 0
    assert out.count(": intact") == sum(len(info.files) for info in DATASETS.values())
