"""Reading: our own small files by hand-computed answers, the real ones by their published counts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import scipy.io
import torch
from mini_data import SENTENCES, describe

from lnf_core.data import DATASETS, Dataset, load_dataset, music_dataset, random_transpose, text_dataset
from lnf_core.data import data_root as find_root
from lnf_core.data.dataset import read_dataset
from lnf_core.errors import DataError, InvalidInputError, UnknownSymbolError

SPLITS = ("train", "valid", "test")
# Sequences of train, valid and test, and max_length.
PUBLISHED = {
    "ptb": (41740, 3356, 3735, 288),
    "jsb": (229, 76, 77, 180),
    "nottingham": (694, 173, 170, 2235),
    "piano-midi": (87, 12, 25, 4821),
    "muse": (524, 135, 124, 4653),
}


def write(root: Path, contents: dict[str, bytes]) -> None:
    for file, content in contents.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)


def matlab(**splits: list[np.ndarray]) -> bytes:
    cells = {}
    for key, pieces in splits.items():
        cells[key] = np.empty((1, len(pieces)), dtype=object)
        for position, piece in enumerate(pieces):
            cells[key][0, position] = piece
    stream = io.BytesIO()
    scipy.io.savemat(stream, cells)
    return stream.getvalue()


def test_text_is_stripped_and_long_and_empty_lines_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, SENTENCES)
    dataset = read_dataset(describe(SENTENCES), tmp_path)
    assert dataset.vocabulary is not None
    decoded = {split: [dataset.vocabulary.decode(ids) for ids in dataset.split(split)] for split in SPLITS}
    assert decoded == {"train": ["the <unk> cat", "sat"], "valid": ["a cat"], "test": ["a hat"]}
    # "x" occurs only in the line that was too long.
    assert dataset.vocabulary.symbols == ("<unk>", "<pad>", " ", *"<>acehknstu")
    assert dataset.max_length == 13
    assert dataset.length_counts.dtype == torch.float64
    assert {t: int(n) for t, n in enumerate(dataset.length_counts) if n} == {3: 1, 5: 1, 13: 1}
    assert (dataset.vocab_size, dataset.likelihood) == (14, "categorical")


def test_a_line_of_288_characters_stays(tmp_path: Path) -> None:
    contents = {**SENTENCES, "mini/train.txt": b"c" * 288 + b"\na hat\n" + b"b" * 289 + b"\n"}
    write(tmp_path, contents)
    assert [len(ids) for ids in read_dataset(describe(contents), tmp_path).train] == [288, 5]


def test_rolls_and_the_counts_with_one_in_every_bin(tmp_path: Path) -> None:
    pieces = [np.eye(length, 88, dtype=np.uint8) for length in (4, 2, 5, 9)]
    contents = {"mini.mat": matlab(traindata=pieces[:2], validdata=pieces[2:3], testdata=pieces[3:])}
    write(tmp_path, contents)
    dataset = read_dataset(describe(contents, "music"), tmp_path)
    assert [len(roll) for roll in dataset.train] == [4, 2]
    assert torch.equal(dataset.test[0], torch.eye(9, 88))
    assert dataset.test[0].dtype == torch.float32
    assert dataset.max_length == 6  # int(1.25 * 5): the test piece has no say
    assert dataset.length_counts.tolist() == [1, 1, 2, 1, 2, 2, 1]
    assert (dataset.vocab_size, dataset.likelihood, dataset.vocabulary) == (88, "bernoulli", None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no MATLAB file",
        matlab(traindata=[np.eye(3, 88)], validdata=[np.eye(3, 88)]),
        matlab(traindata=[np.eye(3, 89)], validdata=[np.eye(3, 88)], testdata=[np.eye(3, 88)]),
        matlab(traindata=[2 * np.eye(3, 88)], validdata=[np.eye(3, 88)], testdata=[np.eye(3, 88)]),
    ],
)
def test_files_without_rolls(content: bytes, tmp_path: Path) -> None:
    write(tmp_path, {"mini.mat": content})
    with pytest.raises(DataError, match="Mini"):
        read_dataset(describe({"mini.mat": content}, "music"), tmp_path)


def test_damaged_files_are_never_parsed(tmp_path: Path) -> None:
    write(tmp_path, {**SENTENCES, "mini/test.txt": b"a bat\n"})
    with pytest.raises(DataError, match=r"test\.txt is damaged"):
        read_dataset(describe(SENTENCES), tmp_path)


def test_a_missing_data_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"python -m lnf_core data download jsb.*LNF_DATA_DIR") as raised:
        load_dataset("jsb", tmp_path)
    assert "\n" not in str(raised.value)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="'bach'"):
        load_dataset("bach", tmp_path)
    write(tmp_path, SENTENCES)
    with pytest.raises(InvalidInputError, match="train, valid, test"):
        read_dataset(describe(SENTENCES), tmp_path).split("dev")


def test_where_the_data_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(tmp_path / "named"))
    assert find_root(tmp_path / "given") == tmp_path / "given"
    assert find_root() == tmp_path / "named"
    assert find_root("~no-such-user/data") == Path("~no-such-user/data")
    monkeypatch.delenv("LNF_DATA_DIR")
    assert find_root() == Path(platformdirs.user_cache_dir("lnf_core", appauthor=False)) / "data"


@pytest.mark.parametrize("name", DATASETS)
def test_real_data(name: str, data_root: Path) -> None:
    dataset = load_dataset(name, data_root)
    *counts, max_length = PUBLISHED[name]
    assert [len(dataset.split(split)) for split in SPLITS] == counts
    assert dataset.max_length == max_length == len(dataset.length_counts) - 1
    added = 0 if dataset.domain == "text" else max_length + 1
    assert dataset.length_counts.sum() == counts[0] + counts[1] + added
    assert all(dataset.length_counts[len(sequence)] > 0 for split in SPLITS for sequence in dataset.split(split))
    assert dataset.sha256 == DATASETS[name].sha256
    shape, dtype = ((), torch.int64) if dataset.domain == "text" else ((88,), torch.float32)
    assert all(s.shape[1:] == shape and s.dtype == dtype for split in SPLITS for s in dataset.split(split))


def test_real_text(data_root: Path) -> None:
    dataset = load_dataset("ptb", data_root)
    assert dataset.vocabulary is not None and dataset.vocab_size == 51
    lines = (data_root / "ptb/test.txt").read_text(encoding="utf-8").splitlines()
    kept = [line.strip() for line in lines if 1 <= len(line.strip()) <= 288]
    assert [dataset.vocabulary.decode(ids) for ids in dataset.test] == kept
    # The two whole symbols are in the model's output layer, but no sentence holds them.
    assert min(int(ids.min()) for ids in dataset.train) == 2


def test_real_chorales_can_be_transposed(data_root: Path) -> None:
    source = torch.Generator().manual_seed(0)
    for roll in load_dataset("jsb", data_root).train:
        assert random_transpose(roll, 6, source).sum() == roll.sum()


def test_music_in_the_papers_89_outputs(tmp_path: Path) -> None:
    pieces = [np.eye(length, 88, dtype=np.uint8) for length in (4, 2, 5)]
    contents = {"mini.mat": matlab(traindata=pieces[:1], validdata=pieces[1:2], testdata=pieces[2:])}
    write(tmp_path, contents)
    plain = read_dataset(describe(contents, "music"), tmp_path)
    padded = plain.with_dummy_key()
    assert (plain.vocab_size, padded.vocab_size) == (88, 89)
    for split, length in zip(SPLITS, (4, 2, 5), strict=True):
        (roll,) = padded.split(split)
        assert torch.equal(roll[:, 1:], torch.eye(length, 88))
        assert not roll[:, 0].any()
    assert padded.with_dummy_key() is padded
    assert (padded.max_length, padded.sha256) == (plain.max_length, plain.sha256)
    assert plain.for_network(89).vocab_size == 89
    assert plain.for_network(88) is plain.for_network(90) is plain


def test_text_has_no_keys(tmp_path: Path) -> None:
    write(tmp_path, SENTENCES)
    dataset = read_dataset(describe(SENTENCES), tmp_path)
    with pytest.raises(InvalidInputError, match="text"):
        dataset.with_dummy_key()
    assert dataset.for_network(89) is dataset


def test_text_of_ones_own_is_read_as_a_file_of_it_is(tmp_path: Path) -> None:
    write(tmp_path, SENTENCES)
    published = read_dataset(describe(SENTENCES), tmp_path)
    own = text_dataset("rhymes", ["the <unk> cat", "sat"], iter(["a cat"]), ["a hat"], title="Rhymes")
    assert (own.name, own.title, own.domain, own.max_length) == ("rhymes", "Rhymes", "text", 13)
    assert own.vocabulary == published.vocabulary
    assert (own.length_counts - published.length_counts).tolist() == [0] + 13 * [1]  # no length is impossible
    for split in SPLITS:
        assert [ids.tolist() for ids in own.split(split)] == [ids.tolist() for ids in published.split(split)]


def test_music_of_ones_own_is_read_as_a_file_of_it_is(tmp_path: Path) -> None:
    pieces = [np.eye(length, 88, dtype=np.uint8) for length in (4, 2, 5, 6)]
    contents = {"mini.mat": matlab(traindata=pieces[:2], validdata=pieces[2:3], testdata=pieces[3:])}
    write(tmp_path, contents)
    published = read_dataset(describe(contents, "music"), tmp_path)
    rolls = [torch.from_numpy(piece) for piece in pieces]
    own = music_dataset("tunes", [rolls[0].bool(), rolls[1].double()], rolls[2:3], rolls[3:])
    assert (own.name, own.title, own.vocab_size) == ("tunes", "tunes", 88)
    assert torch.equal(own.length_counts, published.length_counts)
    for split in SPLITS:
        for roll, same in zip(own.split(split), published.split(split), strict=True):
            assert roll.dtype == torch.float32 and torch.equal(roll, same)


def test_a_run_on_ones_own_data_knows_when_that_is_another() -> None:
    rolls = [torch.eye(length, 88) for length in (4, 2, 5)]
    known = music_dataset("tunes", rolls[:2], rolls[2:])
    assert known.sha256 == music_dataset("tunes", [roll.bool() for roll in rolls[:2]], rolls[2:]).sha256
    changed = rolls[1].clone()
    changed[1, 50] = 1.0
    for train in ([rolls[0], changed], [rolls[1], rolls[0]], [torch.cat(rolls[:2])]):
        assert known.sha256 != music_dataset("tunes", train, rolls[2:]).sha256
    texts = [text_dataset("rhymes", train, ["a"]).sha256 for train in (["ab", "c"], ["abc"], ["xy", "a"], ["bc", "a"])]
    assert len({sums["train"] for sums in texts}) == 4 and len({sums["valid"] for sums in texts}) == 1


def test_data_of_ones_own_that_is_none_is_refused() -> None:
    roll = torch.eye(4, 88)
    refused: list[tuple[Callable[[], Dataset], str]] = [
        (lambda: music_dataset("jsb", [roll], [roll]), "The name is 'jsb'; .* none of ptb, jsb"),
        (lambda: text_dataset("a/b", ["a"], ["a"]), "The name is 'a/b'; give letters"),
        (lambda: text_dataset("", ["a"], ["a"]), "The name is ''; give letters"),
        (lambda: music_dataset("tunes", [], [roll]), "nothing in train"),
        (lambda: text_dataset("rhymes", ["a"], []), "nothing in valid"),
        (lambda: text_dataset("rhymes", "a line", ["a"]), "train is one str; give a list"),
        (lambda: music_dataset("tunes", [roll], torch.zeros(2, 4, 88)), "valid is one Tensor; give a list"),
        (
            lambda: text_dataset("rhymes", ["a", "b\udc80"], ["a"]),
            "1 of train holds half a character at .* 1;",
        ),
        (lambda: text_dataset("rhymes", ["aa"], ["a"], ["a", "aaa"]), "Sequence 1 of test has 3 steps; .* at most 2:"),
        (lambda: music_dataset("tunes", [roll], [roll], [torch.eye(6, 88)]), "Sequence 0 of test has 6 steps; .* 5:"),
        (lambda: text_dataset("rhymes", ["a", ""], ["a"]), "Sequence 1 of train is ''"),
        (lambda: text_dataset("rhymes", ["a"], ["a"], [b"a"]), "Sequence 0 of test is b'a'"),  # type: ignore[list-item]
        (lambda: music_dataset("tunes", [roll], [roll * 0.5]), "Sequence 0 of valid: The roll holds 0.5"),
        (lambda: music_dataset("tunes", [roll, roll[:, 1:]], [roll]), r"Sequence 1 of train: .* shape \(4, 87\)"),
        (lambda: music_dataset("tunes", [roll], [roll], [roll[:0]]), "Sequence 0 of test has no steps"),
    ]
    for make, words in refused:
        with pytest.raises(InvalidInputError, match=words):
            make()
    with pytest.raises(UnknownSymbolError, match=r"Sequence 1 of valid: .*'b' at position 1") as caught:
        text_dataset("rhymes", ["a"], ["aa", "ab"])
    assert caught.value.symbols == ((1, "b"),)
