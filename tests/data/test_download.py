"""Downloads: whole and checked, or one sentence and an untouched disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from mini_data import SENTENCES, FileServer

from lnf_core.data import DATASETS, DatasetInfo, download, verify
from lnf_core.data.fetch import download_files
from lnf_core.data.files import verify_files
from lnf_core.errors import DataError, DownloadError, InvalidInputError


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_one_sentence(error: Exception) -> None:
    message = str(error)
    assert "\n" not in message
    assert message.endswith(".")


def test_files_arrive_whole_and_pass_verify(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    root = tmp_path / "not" / "there yet"
    paths = download_files(mini, root, base_url=server.url)
    assert snapshot(root) == SENTENCES
    assert paths == {file: root / file for file in SENTENCES} == verify_files(mini, root)


def test_the_address_of_the_description_is_the_default(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    download_files(replace(mini, url=server.url + "/"), tmp_path)
    assert snapshot(tmp_path) == SENTENCES


def test_intact_files_are_not_fetched_again(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    download_files(mini, tmp_path, base_url=server.url)
    (tmp_path / "mini/valid.txt").write_bytes(b"damaged")
    server.asked.clear()
    download_files(mini, tmp_path, base_url=server.url)
    assert server.asked == ["valid.txt"]
    assert snapshot(tmp_path) == SENTENCES


def test_half_a_download_leaves_nothing(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    server.cut_after = 7
    with pytest.raises(DownloadError, match="broke off after 7 of") as raised:
        download_files(mini, tmp_path, base_url=server.url)
    assert_one_sentence(raised.value)
    assert list(tmp_path.rglob("*")) == []


def test_a_wrong_sum_leaves_the_old_file(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    old = {"mini/train.txt": b"an older edition"}
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini/train.txt").write_bytes(old["mini/train.txt"])
    server.files["train.txt"] = b"<html>You have reached your download limit</html>"
    with pytest.raises(DownloadError, match="not the published file") as raised:
        download_files(mini, tmp_path, base_url=server.url)
    assert_one_sentence(raised.value)
    assert snapshot(tmp_path) == old


def test_a_missing_file_is_named(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    del server.files["valid.txt"]
    with pytest.raises(DownloadError, match=r"valid\.txt could not be downloaded: the server answered 404") as raised:
        download_files(mini, tmp_path, base_url=server.url)
    assert_one_sentence(raised.value)
    assert snapshot(tmp_path) == {"mini/train.txt": SENTENCES["mini/train.txt"]}


def test_no_network(mini: DatasetInfo, closed_url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="check the network connection") as raised:
        download_files(mini, tmp_path, base_url=closed_url)
    assert_one_sentence(raised.value)
    assert list(tmp_path.rglob("*")) == []


def test_a_silent_server_is_given_up(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    server.silent_for = 1.0
    with pytest.raises(DownloadError, match="timed out"):
        download_files(mini, tmp_path, base_url=server.url, timeout=0.1)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("url", ["ftp://host/data", "file:///etc", "data", "", "http://", "http://[half"])
def test_an_address_that_is_none(mini: DatasetInfo, url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        download_files(mini, tmp_path, base_url=url)


def test_a_root_that_is_a_file(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_bytes(b"mine")
    with pytest.raises(DownloadError, match="cannot be written") as raised:
        download_files(mini, root, base_url=server.url)
    assert_one_sentence(raised.value)
    assert root.read_bytes() == b"mine"


def test_a_failed_replacement_leaves_no_temporary_file(mini: DatasetInfo, server: FileServer, tmp_path: Path) -> None:
    # A folder in the file's place: everything up to the last step works, and that one cannot.
    (tmp_path / "mini/train.txt").mkdir(parents=True)
    with pytest.raises(DownloadError, match="cannot be written"):
        download_files(mini, tmp_path, base_url=server.url)
    assert os.listdir(tmp_path / "mini") == ["train.txt"]


def test_verify_tells_missing_from_damaged(mini: DatasetInfo, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not on this machine.*data download mini") as missing:
        verify_files(mini, tmp_path)
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini/train.txt").write_bytes(SENTENCES["mini/train.txt"][:-1])
    with pytest.raises(DataError, match="damaged or not the published one") as damaged:
        verify_files(mini, tmp_path)
    assert_one_sentence(missing.value)
    assert_one_sentence(damaged.value)
    with pytest.raises(DataError, match=r"not on this machine.*or set LNF_DATA_DIR"):
        verify_files(mini, tmp_path / "mini/train.txt")  # a file in place of the folder


def test_unknown_names_list_the_known_ones() -> None:
    for function in (download, verify):
        with pytest.raises(InvalidInputError, match=r"'jbs'.*ptb, jsb, nottingham, piano-midi, muse"):
            function("jbs")


@pytest.mark.parametrize("name", DATASETS)
def test_the_real_files_by_name(name: str, data_root: Path, server: FileServer, tmp_path: Path) -> None:
    server.files = {Path(file).name: (data_root / file).read_bytes() for file in DATASETS[name].files}
    download(name, tmp_path, base_url=server.url)
    assert verify(name, tmp_path) == {file: tmp_path / file for file in DATASETS[name].files}


def test_public_addresses_are_https_and_files_match_their_sums() -> None:
    for name, info in DATASETS.items():
        assert info.name == name
        assert info.url.startswith("https://")
        assert set(info.files) == set(info.sha256)
        assert all(len(value) == 64 and int(value, 16) for value in info.sha256.values())
