"""Text to numbers and back, and a name for every character that has no number."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lnf_core.data import Vocabulary
from lnf_core.errors import InvalidInputError, UnknownSymbolError

VOCABULARY = Vocabulary.from_texts(["hello", "<unk> world"])


def test_order_is_the_whole_symbols_then_sorted_characters() -> None:
    assert VOCABULARY.symbols == ("<unk>", "<pad>", " ", *"<>dehklnoruw")
    assert len(VOCABULARY) == 15


@given(st.text(alphabet="".join(VOCABULARY.symbols[2:])))
def test_round_trip(text: str) -> None:
    ids = VOCABULARY.encode(text)
    assert ids.dtype == torch.int64 and ids.shape == (len(text),)
    assert VOCABULARY.decode(ids) == text == VOCABULARY.decode(ids.tolist())


@given(st.text(min_size=1).map(lambda text: [text, text[::-1]]))
def test_any_text_encodes_in_its_own_vocabulary(texts: list[str]) -> None:
    vocabulary = Vocabulary.from_texts(texts)
    assert [vocabulary.decode(vocabulary.encode(text)) for text in texts] == texts
    assert Vocabulary.from_list(vocabulary.to_list()) == vocabulary


def test_unk_in_a_text_is_five_characters() -> None:
    assert VOCABULARY.encode("<unk>").tolist() == [VOCABULARY.symbols.index(character) for character in "<unk>"]
    assert VOCABULARY.decode([0, 1]) == "<unk><pad>"


def test_unknown_characters_come_with_their_positions() -> None:
    with pytest.raises(UnknownSymbolError, match=r"'Z' at position 0, 'é' at position 4") as raised:
        VOCABULARY.encode("Zeroé")
    assert raised.value.symbols == ((0, "Z"), (4, "é"))
    with pytest.raises(UnknownSymbolError, match=r"and 95 more\)") as raised:
        VOCABULARY.encode("!" * 100)
    assert len(raised.value.symbols) == 100
    with pytest.raises(UnknownSymbolError) as raised:  # beyond every code of the vocabulary, and what UTF-8 cannot say
        VOCABULARY.encode("he\U0001f600\udc80\0llo")
    assert raised.value.symbols == ((2, "\U0001f600"), (3, "\udc80"), (4, "\0"))


@pytest.mark.parametrize("ids", [[15], [-1], [0.5], ["h"], torch.tensor(3), torch.zeros(2, 2).long(), torch.ones(3)])
def test_numbers_that_are_none_of_ours(ids: object) -> None:
    with pytest.raises(InvalidInputError):
        VOCABULARY.decode(ids)  # type: ignore[arg-type]


@pytest.mark.parametrize("symbols", [[], ["a", ""], ["a", "b", "a"], ["a", 3]])
def test_symbols_that_are_no_vocabulary(symbols: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        Vocabulary.from_list(symbols)


def test_a_vocabulary_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        VOCABULARY.symbols = ()  # type: ignore[misc]
