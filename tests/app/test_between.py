"""Between two sequences: the ends are the two samples, and the way is one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import until

from app.limits import FieldError
from app.services.between import STOPS, Between
from app.services.models import LoadedModels
from app.services.sampled import Music, Text
from app.services.sampling import Sampling
from app.services.sequences import Request, Sequences
from app.services.sound import Sound
from app.tabs.between import BetweenPart
from lnf_core.analysis.interpolation import interpolate


@pytest.fixture(scope="module")
def between() -> Between:
    """Of the models people meet: between untrained ones nothing changes."""
    return Between(Sampling(), Sequences(LoadedModels()))


@pytest.mark.parametrize("through", ["noise", "vectors"])
@pytest.mark.parametrize("name", ["jsb/af-scf", "jsb/iaf-scf"])
def test_music_goes_from_one_piece_to_the_other(between: Between, name: str, through: str, tmp_path: Path) -> None:
    way = between.way(name, "1", "2", through, tmp_path)
    there, back = way.result, between.way(name, "2", "1", through, tmp_path).result
    assert isinstance(there, Music) and isinstance(back, Music) and len(there.pieces) == STOPS
    for at in range(STOPS):  # the same way walked in the other direction
        assert torch.equal(there.pieces[at].roll, back.pieces[STOPS - 1 - at].roll)
    far = [float((piece.roll != there.pieces[0].roll).float().sum()) for piece in there.pieces]
    assert far[0] == 0 < far[1] < far[-1]
    assert f"first=1&second=2&through={through}" in way.link
    # Not named as files of samples are: those of seed 1 are other music.
    names = [piece.midi.name for piece in there.pieces]
    assert names[1] == f"{name.replace('/', '-')}-seed1-to-seed2-{through}-2.mid"
    assert all(piece.midi.is_file() for piece in there.pieces)


def test_text_goes_from_one_line_to_the_other(between: Between, tmp_path: Path) -> None:
    way = between.way("ptb/af-scf", 1, 2, "noise", tmp_path).result
    first, second = (between._sequences.get(Request("ptb/af-scf", seed, 1)) for seed in (1, 2))
    mixed = interpolate(first.model, first.x, second.x, STOPS, space="eps", engine=first.sampler)
    assert first.vocabulary is not None
    assert isinstance(way, Text) and len({line.text for line in way.lines}) == STOPS
    assert [line.text for line in way.lines] == [first.vocabulary.decode(sample.sequence(0)) for sample in mixed]
    assert way.file.name == "ptb-af-scf-seed1-to-seed2-noise.txt" and way.file.read_text().count("\n") == STOPS
    assert all(0 <= chance <= 1 for line in way.lines for chance in line.sureness)


def test_a_mix_names_its_seeds_as_they_were_understood(between: Between) -> None:
    status, _, update = BetweenPart(between, Sound())._show("ptb/af-scf", " 1e0", "02.0", "noise")
    assert status["text"].endswith("from seed 1 to seed 2 through the noise.")
    assert "is seed 1 and 6 seed 2 as" in update["value"]["details"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("jsb/af-scf", "x", 2, "noise"), "The first seed is x"),
        (("jsb/af-scf", 1, "", "noise"), "The second seed is empty"),
        (("jsb/af-scf", 1, 2, "walls"), "choose one of: noise, vectors"),
        (("jsb/af-scf", 1, 2, "x" * 1000), "'x{39,40}'; choose one of"),
        (("jsb/af-scf", 1, 2, ["noise"]), "choose one of: noise, vectors"),
        (("jsb/lstm", 1, 2, "noise"), "no latent space"),
    ],
)
def test_refusals_are_sentences(between: Between, values: tuple[Any, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=words):
        between.way(*values, tmp_path)


@pytest.mark.browser
def test_two_pieces_are_mixed_on_the_page_and_can_be_heard(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=inside&dataset=jsb&variant=af-scf&first=3&second=4&through=vectors")
    page.wait_for_selector("#way-roll canvas.notes", state="visible")  # a link with seeds mixes by itself
    assert page.input_value("#second textarea, #second input") == "4"
    assert page.locator("#way-roll .tabs").is_hidden()
    until(page, "() => location.search.includes('second=4&through=vectors')")
    # The words above the saved picture have room: these few notes alone would be 686 wide.
    with page.expect_download() as saved:
        page.locator("#way-roll .png").click()
    width, height = struct.unpack(">II", saved.value.path().read_bytes()[16:24])
    assert width > 700 and height == 454
    way, audio = page.locator("#way-roll .way input"), "document.querySelector('#way-roll audio')"
    assert int(way.get_attribute("max")) == STOPS - 1
    page.locator("#way-roll .play").click()
    until(page, f"() => {audio}.currentTime > 1")
    sound = page.evaluate(f"() => {audio}.src")
    for key in ("ArrowRight", "End"):  # the music goes on from where it is, as another piece
        way.press(key)
        until(page, f"(old) => {audio}.src !== old && !{audio}.paused && {audio}.currentTime > 1", arg=sound)
        sound = page.evaluate(f"() => {audio}.src")
    assert way.get_attribute("aria-valuetext") == f"stop {STOPS} of {STOPS}"
    page.fill("#second textarea, #second input", "many")
    page.press("#second textarea, #second input", "Enter")
    page.wait_for_selector("#second .lnf-refusal")
    assert page.locator("#way-roll canvas.notes").is_visible()


@pytest.mark.browser
def test_a_mix_says_whose_it_is_once_another_model_is_chosen(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=inside&dataset=jsb&variant=af-scf&first=3&second=4&through=noise", width=390, height=800)
    page.wait_for_selector("#inside", state="attached")
    # What stands above may still shrink while the page is on its way down.
    page.evaluate("""() => {
      const early = document.createElement("p"), look = () => { if (scrollY > 500) early.remove(); };
      early.style.height = "300px";
      document.querySelector("#inside").before(early);
      document.addEventListener("scroll", look);
    }""")
    page.wait_for_selector("#inside .reachWords:not(:empty)")
    page.wait_for_selector("#way-roll canvas.notes", state="visible")
    # The link is to the mix: on a phone it begins where the screen does, whichever of the two has come first.
    until(page, "() => Math.abs(document.querySelector('#mixed').getBoundingClientRect().top) < 60")
    page.wait_for_timeout(500)
    page.evaluate("() => scrollTo(0, 0)")  # as a reader of screens does, without a touch or a key
    page.wait_for_timeout(500)
    assert page.evaluate("() => scrollY") == 0
    page.set_viewport_size({"width": 1280, "height": 900})
    said = "document.querySelector('#mixed .words')?.textContent"
    until(page, f"() => {said}?.endsWith('through the noise.')")
    page.locator("#model-bar label", has_text="All at once").click()
    until(page, f"() => {said}.endsWith('through the noise. Press Mix to hear JSB Chorales, all at once.')")
    page.locator("#model-bar label", has_text="Penn Treebank").click()
    page.locator("#model-bar label", has_text="Symbol by symbol").click()
    until(page, f"() => {said}.endsWith('The LSTM has no hidden vectors to mix.')")


@pytest.mark.browser
def test_the_address_is_of_what_was_used_last(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=inside&dataset=ptb&variant=af-scf&first=3&second=4&through=noise")
    until(page, "() => location.search.includes('second=4&through=noise')")
    page.wait_for_selector("#way-lines .line")
    page.wait_for_selector("#inside .reachWords:not(:empty)")
    page.locator("#tabs button[role=tab][data-tab-id=results]").click()
    until(page, "() => location.search.includes('tab=results')")
    page.go_back()
    until(page, "() => location.search.includes('second=4&through=noise')")
    page.locator("#inside .step").press("Home")
    until(page, "() => location.search.includes('step=1')")
    page.locator("#tabs button[role=tab][data-tab-id=results]").click()
    until(page, "() => location.search.includes('tab=results')")
    page.locator("#tabs button[role=tab][data-tab-id=inside]").click()
    page.wait_for_selector("#way-lines .line", state="visible")
    # The way below has come into sight as well, and says its own address first.
    until(page, "() => location.search.includes('tab=inside') && location.search.includes('step=1')")
