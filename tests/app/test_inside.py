"""Inside a sequence: what the page shows adds up to the model's own figures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import until

import lnf_core
from app.errors import answers
from app.limits import FieldError
from app.services.inside import InsideViews
from app.services.models import LoadedModels
from app.services.sequences import Sequences
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.music import note_name


@pytest.fixture
def views(here: Path) -> InsideViews:
    assert here.is_dir()
    return InsideViews(Sequences(LoadedModels()))


def test_the_steps_and_the_bound_are_the_models(views: InsideViews) -> None:
    shown = views.view({"checkpoint": "ptb/af-scf", "text": "abba cab", "seed": 5})
    loaded = lnf_core.load("ptb/af-scf")
    model, vocabulary = loaded.model, loaded.vocabulary
    assert isinstance(model, LatentFlow) and vocabulary is not None
    x, lengths = vocabulary.encode("abba cab")[:, None], torch.tensor([8])
    elbo = model.elbo(x, lengths, 16, torch.Generator().manual_seed(5))
    total = float(elbo.log_p_length[0] - elbo.value[0].detach())
    assert sum(shown["reconstruction"]) + sum(shown["kl"]) == pytest.approx(total, abs=0.01)
    assert shown["length_nats"] == pytest.approx(-float(elbo.log_p_length[0]), abs=1e-3)
    bound = model.bound(x, lengths, 64, torch.Generator().manual_seed(5))
    assert shown["bound"][-1]["draws"] == 64
    assert shown["bound"][-1]["nats"] == pytest.approx(-float(bound.log_likelihood[0]) / 9, abs=1e-3)
    assert shown["names"] == list("abba cab") and len(shown["layers"]) == model.config.flow_layers + 1
    assert shown["step"] == 8  # 10 where none is asked for, and this sequence has no more than 8
    assert 0 <= shown["inversion_error"] < 1e-3 and "text=abba+cab" in shown["status"]["query"]


@pytest.fixture(scope="module")
def released() -> InsideViews:
    """Of the models people meet: in untrained ones next to nothing sounds or moves."""
    return InsideViews(Sequences(LoadedModels()))


def test_music_is_taken_apart_into_notes(released: InsideViews) -> None:
    shown = released.view({"checkpoint": "jsb/iaf-scf", "seed": 1})
    assert shown["layers"][-1] and all(start + held <= len(shown["names"]) for start, held, _ in shown["layers"][-1])
    # Read back, most notes are those of the sequence, which its names tell as they sound.
    heard = [note_name(pitch - 21) in shown["names"][start].split() for start, _, pitch in shown["layers"][-1]]
    assert sum(heard) > len(heard) / 2


def test_rounding_that_grows_along_an_unlikely_sequence_is_told_from_the_flow_s_own(released: InsideViews) -> None:
    likely, unlikely = (
        released.view({"checkpoint": "ptb/af-scf-affine", "text": text})
        for text in ("the company said it would not", "x#q zj& 9vkw $qx jj zz #k & xq 0 qk zx& vv # kq")
    )
    assert likely["step_error"] is None and likely["inversion_error"] < 1e-3
    assert unlikely["step_error"] < 1e-4 < 1 < unlikely["inversion_error"]


def test_a_length_no_training_sequence_has_leaves_the_choice_of_the_end_out(released: InsideViews) -> None:
    shown = released.view({"checkpoint": "ptb/iaf-scf", "text": "a"})
    assert not shown["length_seen"]
    assert all(math.isfinite(point["nats"]) and math.isfinite(point["error"] or 0.0) for point in shown["bound"])
    assert released.view({"checkpoint": "ptb/iaf-scf", "text": "the market fell"})["length_seen"]


@pytest.mark.usefixtures("compiled_engine")
@pytest.mark.parametrize(("name", "words"), [("jsb/af-af", "made from those"), ("jsb/iaf-scf", "known at once")])
def test_the_noise_of_a_step_reaches_no_earlier_vector(released: InsideViews, name: str, words: str) -> None:
    shown = released.poke({"checkpoint": name, "seed": 1, "step": 6})
    assert shown["step"] == 6 and not any(shown["z"][:5]) and shown["z"][5] > 0 and any(shown["z"][6:])
    assert any(shown["x"][:5])  # what is read moves on both sides
    assert words in shown["said"] and "no earlier one did" in shown["said"]


def test_refusals_are_sentences(views: InsideViews) -> None:
    with pytest.raises(FieldError, match="no latent space"):
        views.view({"checkpoint": "ptb/lstm"})
    with pytest.raises(FieldError, match="The step"):
        views.poke({"checkpoint": "ptb/af-scf", "step": "two"})
    answer = answers("view", views.view)
    assert answer.__name__ == "view"
    for nonsense in (None, [], "x", {"checkpoint": ["a"]}, {"checkpoint": "jsb/lstm"}):
        assert set(answer(nonsense)) == {"error"}


@pytest.mark.browser
def test_of_a_link_that_is_wrong_in_places_the_rest_is_shown(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=inside&dataset=ptb&variant=af-scf&seed=abc&step=99&first=1&through=walls")
    until(page, "() => document.querySelector('#inside .reachWords')?.textContent.includes('step 12,')")
    said = page.locator("#inside .said").text_content()
    assert said.startswith("The seed is abc; give a whole number")
    assert said.endswith("The step is 99; this sequence has 12 steps, and this is its last.")
    page.wait_for_selector("#through .lnf-refusal")
    assert page.locator("#mixed .words").text_content() == "The way is 'walls'; choose one of: noise, vectors."
    until(page, "() => document.querySelector('#mixed').getBoundingClientRect().bottom < innerHeight")


@pytest.mark.browser
def test_a_sequence_is_taken_apart_on_the_page(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=inside&dataset=ptb&variant=af-scf&seed=2&step=4")
    reach = "() => document.querySelector('#inside .reachWords')?.textContent"
    until(page, f"{reach}.includes('step 4,')")
    assert "(mean over all characters)" in page.evaluate(reach)  # that of one may change by far more
    assert page.locator("#inside .layers code").count() == 3
    layers = page.locator("#inside .small:has(.back)").text_content()
    assert "the last what the sequence's own vectors are most likely read as." in layers  # it may have other symbols
    summed = re.search(r"KL (\S+) \+ reconstruction (\S+) = (\S+);", page.locator("#inside .costsWords").text_content())
    assert summed and round(float(summed[1]) + float(summed[2]), 2) == float(summed[3])
    assert re.search(r"at most (0|0\.\d+|\d\.\d . 10⁻\S+)\.$", page.locator("#inside .back").text_content())
    page.locator("#inside .step").press("ArrowRight")
    until(page, f"{reach}.includes('step 5,')")
    assert "step=5" in page.url
    page.fill("#inside .typed input", "Ω")
    page.locator("#inside .typed button").click()
    until(page, "() => document.querySelector('#inside .said').textContent.includes('character 1')")
    assert page.locator("#inside .layers code").count() == 3  # nothing was lost
    said = page.locator("#inside .said")
    assert said.text_content().endswith("Still shown: AF/SCF · Penn Treebank, seed 2.")
    page.locator("#inside .step").press("ArrowRight")  # and can be moved along
    until(page, f"{reach}.includes('step 6,')")
    assert "bad" not in said.get_attribute("class") and said.text_content() == ""
    page.fill("#inside .typed input", "abba")
    page.locator("#inside .typed button").click()
    until(page, "() => location.search.includes('text=abba')")
    assert page.locator("#inside .layers code").last.text_content() != ""
    page.fill("#inside .typed input", "a")
    page.locator("#inside .typed button").click()
    until(page, "() => document.querySelector('#inside .details').textContent.includes('1 character,')")


def test_of_the_ends_no_vector_is_asked_for_that_is_not_there(released: InsideViews) -> None:
    said = {
        (text, step): released.poke({"checkpoint": "ptb/af-scf", "text": text, "step": step})["said"]
        for text, step in (("a", 1), ("the", 1), ("the", 3))
    }
    assert "8 random directions: no vector comes later: each" in said["a", 1]
    assert "8 random directions: 2 of 2 later vectors moved: each" in said["the", 1]
    assert "8 random directions: no vector comes later, no earlier one moved: each" in said["the", 3]
