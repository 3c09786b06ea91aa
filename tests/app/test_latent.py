"""Latent space: what the page draws is what the model draws."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import until

import app
import lnf_core
from app.limits import FieldError
from app.services.latent import DRAWS, LatentViews, percent
from app.services.latent import _said as said
from app.services.models import LoadedModels
from app.services.sequences import Request, Sequences, chord
from lnf_core.analysis.latents import draw_step, read_past
from lnf_core.analysis.modes import Modes
from lnf_core.models.latent_flow import LatentFlow


@pytest.fixture
def views(here: Path) -> LatentViews:
    assert here.is_dir()
    return LatentViews(Sequences(LoadedModels()))


def unpacked(payload: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    points = np.frombuffer(base64.b64decode(payload["points"]), "<i2").reshape(payload["layers"] + 1, -1, 2)
    return points, np.frombuffer(base64.b64decode(payload["labels"]), "u1")


@pytest.mark.parametrize("name", ["jsb/af-af", "jsb/iaf-scf", "ptb/af-scf"])
def test_the_points_are_the_models_draws(views: LatentViews, name: str) -> None:
    payload = views.view({"checkpoint": name, "seed": 3, "step": 5})
    points, labels = unpacked(payload)
    assert points.shape[1] == len(labels) == payload["draws"] == DRAWS
    model = lnf_core.load(name).model
    assert isinstance(model, LatentFlow)
    sample = model.sample(1, len(payload["names"]), generator=torch.Generator().manual_seed(3))
    assert sample.z is not None and sample.eps is not None
    past = read_past(model, sample.z[:, 0], sample.eps[:, 0])
    cloud = draw_step(model, past, 4, DRAWS, generator=torch.Generator().manual_seed(3))
    plane = (cloud.plane - cloud.plane.mean(1, keepdim=True)).numpy()
    np.testing.assert_allclose(points / 32767 * np.abs(plane).max(), plane, atol=2e-4 * np.abs(plane).max())
    np.testing.assert_array_equal(labels, cloud.labels.numpy())
    # The sequence's own vector lies among the draws of the last layer, around whose middle they are drawn.
    own = (cloud.actual - cloud.layers[-1].mean(0)) @ cloud.directions.T
    np.testing.assert_allclose(payload["actual"], own.numpy() / np.abs(plane).max(), atol=1e-4)
    assert payload["modes"]["low"] <= payload["modes"]["count"] <= payload["modes"]["high"]
    assert ("hill (mode)." if payload["modes"]["high"] == 1 else "hills (modes).") in payload["said"]
    assert [item["share"] for item in payload["symbols"]] == [round(float(share), 4) for share in cloud.shares]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.105, "10%"),
        (0.115, "12%"),
        (0.0345, "3.5%"),
        (0.1, "10%"),
        (0.995, "over 99%"),
        (1.0, "100%"),
        (0.0002, "under 0.1%"),
    ],
)
def test_shares_are_rounded_once(share: float, words: str) -> None:
    assert percent(share) == words


def test_where_a_sample_has_not_what_its_vector_is_read_as_it_is_said(views: LatentViews) -> None:
    asked = {"checkpoint": "ptb/af-scf", "seed": 3, "step": 1}
    studied = views._sequences.get(Request.read(asked))
    assert studied.vocabulary is not None
    model, told = studied.model, []
    for step in range(1, 11):
        features = torch.cat([studied.past.z[step - 1], studied.past.decoder_context[step - 1]])[None]
        likeliest = studied.name(model.emission.probabilities(model.emission.logits(features))[0].argmax())
        said = views.view(asked | {"step": step})["said"]
        stands = studied.names[step - 1]
        quoted = ["space" if name == " " else name for name in (stands, likeliest)]
        words = "The line itself has “{}” here, from a vector that is most likely read as “{}”.".format(*quoted)
        told.append(said.endswith(words))
        assert told[-1] is (stands != likeliest) and ("itself" in said) is told[-1]
    assert {*told} == {True, False}


def test_what_cannot_be_looked_into_is_said(views: LatentViews) -> None:
    with pytest.raises(FieldError, match="no latent space"):
        views.view({"checkpoint": "ptb/lstm"})
    with pytest.raises(lnf_core.LNFError, match="There is no checkpoint"):
        views.view({"checkpoint": "../../etc"})
    with pytest.raises(FieldError, match=r"“Ω” \(character 2\)"):
        views.view({"checkpoint": "ptb/af-scf", "text": "aΩb"})
    with pytest.raises(FieldError, match="give at most 12"):
        views.view({"checkpoint": "ptb/af-scf", "text": "a" * 100_000})
    for wrong in ("x", -1, 10**12, float("nan"), [1]):
        with pytest.raises(FieldError, match="The seed"):
            views.view({"checkpoint": "ptb/af-scf", "seed": wrong})
        with pytest.raises(FieldError, match="The step"):
            views.view({"checkpoint": "ptb/af-scf", "step": wrong})


def test_typed_text_is_the_sequence(views: LatentViews) -> None:
    payload = views.view({"checkpoint": "ptb/af-scf", "text": "abba", "step": 3})
    assert payload["names"] == list("abba") and payload["step"] == 3
    assert "text=abba" in payload["status"]["query"] and "After “ab”" in payload["said"]


def test_what_the_draws_decode_to_is_said_of_the_first_four(here: Path) -> None:
    sequences, typed = Sequences(LoadedModels()), "abcd efgh " * 6
    studied = sequences.get(Request("ptb/af-scf", 3, 5))
    assert studied.vocabulary is not None
    studied = replace(studied, x=studied.vocabulary.encode(typed))
    shares = {" ": 0.5, "a": 0.3, "b": 0.1, "c": 0.05, "d": 0.04}
    symbols = [{"name": name, "share": share, "percent": percent(share)} for name, share in shares.items()]
    named = "“space” 50%, “a” 30%, “b” 10%, “c” 5.0%"
    one = Modes(1, 1, 1, torch.zeros(1, 4), torch.ones(1), torch.zeros(DRAWS), "")
    assert said(studied, symbols, replace(one, count=2, high=3), 55) == (
        f"After “{typed[14:54]}”, 4,096 draws of the hidden vector decode to {named} and others. "
        "After the last layer their density has 2 (1 to 3) hills (modes)."
    )
    symbols[0]["share"] = 0.55
    assert said(studied, symbols, one, 1) == (
        f"At step 1, 4,096 draws of the hidden vector decode to {named}. "
        "After the last layer their density has 1 hill (mode)."
    )


def test_chords_are_named_as_they_sound() -> None:
    keys = torch.zeros(88)
    keys[[51, 55, 58]] = 1.0  # C5 E5 G5 in the columns of JSB, which sound an octave lower
    assert chord(keys, "jsb") == "C4 E4 G4"
    assert chord(torch.cat([torch.ones(1), keys]), "jsb") == "C4 E4 G4"  # the output that never sounds stays silent
    assert chord(torch.zeros(88), "jsb") == "silence"


def test_of_chords_that_are_all_rare_none_is_named(here: Path) -> None:
    sequences = Sequences(LoadedModels())
    model = sequences.get(Request("jsb/af-scf", 3, 5)).model
    with torch.no_grad():  # every key hangs on the hidden vector
        model.emission.embedding.weight.normal_(generator=torch.Generator().manual_seed(0))
        model.emission.bias.normal_(generator=torch.Generator().manual_seed(0))
    payload = LatentViews(sequences).view({"checkpoint": "jsb/af-scf", "seed": 3, "step": 5})
    assert max(item["share"] for item in payload["symbols"]) < 0.01
    assert "decode to many different chords, none of them as often as 1%." in payload["said"]


@pytest.mark.usefixtures("compiled_engine")
def test_the_model_without_bends_stands_beside() -> None:
    views = LatentViews(Sequences(LoadedModels()))
    lonely = views.view({"checkpoint": "jsb/af-af", "seed": 1, "step": 5, "beside": True})
    assert lonely["beside"] is None and "beside" not in lonely["status"]["query"]  # a link that would be refused
    asked = {"checkpoint": "jsb/af-scf", "seed": 1, "step": 5}
    alone, shown = views.view(asked), views.view(asked | {"beside": True})
    assert set(alone["beside"]) == {"title"}
    assert "beside" not in alone["status"]["query"] and "beside=1" in shown["status"]["query"]
    points, _ = unpacked(shown["beside"])
    x = views._sequences.get(Request("jsb/af-scf", 1, 5)).x  # both are given the same steps
    other = Request("jsb/af-scf", 2, 5)
    beside = views._sequences.beside(views._sequences.get(other), other)
    assert beside is not None and torch.equal(beside.x, views._sequences.get(other).x)
    model = lnf_core.load("jsb/af-scf-affine").model
    assert isinstance(model, LatentFlow)
    read = model.reconstruct(x[:, None], torch.tensor([len(x)]))
    assert read.z is not None and read.eps is not None
    past = read_past(model, read.z[:, 0], read.eps[:, 0])
    cloud = draw_step(model, past, 4, DRAWS, generator=torch.Generator().manual_seed(1))
    plane = (cloud.plane - cloud.plane.mean(1, keepdim=True)).numpy()
    np.testing.assert_allclose(points / 32767 * np.abs(plane).max(), plane, atol=2e-4 * np.abs(plane).max())


@pytest.mark.usefixtures("compiled_engine")
def test_the_tour_shows_a_step_where_the_model_has_many_choices() -> None:
    script = (Path(app.__file__).parent / "widgets" / "sequence" / "sequence.js").read_text("utf-8")
    usual = re.search(r"const USUAL = { seed: (\d+), step: (\d+),", script)
    assert usual
    views = LatentViews(Sequences(LoadedModels()))
    shown = views.view({"checkpoint": "ptb/af-scf", "seed": int(usual[1])})
    assert shown["step"] == int(usual[2]) and shown["modes"]["low"] > 2, shown["said"]


@pytest.mark.browser
def test_the_cloud_is_drawn_and_moves_with_the_step(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=latent&dataset=ptb&variant=af-scf&seed=2&step=4")
    until(page, "() => document.querySelector('#cloud .said')?.textContent.includes('draws')")
    assert page.locator("#cloud .stepWords").text_content() == "Step 4 of 12"
    assert "seed=2&step=4" in page.url
    assert "The ring is the vector this sequence itself has" in page.locator("#cloud .caption").text_content()
    picture = "() => document.querySelector('#cloud canvas.points').toDataURL()"
    shares = page.locator("#cloud .legend .share").all_text_contents()[:2]
    assert all(f"” {share}" in page.locator("#cloud .said").text_content() for share in shares)
    before, said = page.evaluate(picture), page.locator("#cloud .said").text_content()
    page.locator("#cloud .step").press("ArrowRight")
    until(page, "(said) => document.querySelector('#cloud .said').textContent !== said", arg=said)
    assert "step=5" in page.url and page.evaluate(picture) != before
    moved = page.evaluate(picture)
    page.locator("#cloud .layer").press("Home")
    assert page.locator("#cloud .layerWords").text_content() == "plain noise"
    noise = page.evaluate(picture)
    assert noise != moved
    until(page, "() => location.search.includes('step=5&layer=0')")
    link = "?" + page.url.partition("?")[2]
    beside = open_page(link)  # the link restores the layer too
    until(beside, "() => document.querySelector('#cloud .layerWords')?.textContent === 'plain noise'")
    until(beside, f"(noise) => ({picture})() === noise", arg=noise)
    beside.locator("#cloud .layer").press("End")
    until(beside, "() => !location.search.includes('layer')")
    # What cannot be read is let go of: the sequence that is still shown can be moved along.
    beside.fill("#cloud .typed input", "Ω")
    beside.locator("#cloud .typed button").click()
    still = "Still shown: AF/SCF · Penn Treebank, seed 2."
    until(beside, "(still) => document.querySelector('#cloud .said').textContent.endsWith(still)", arg=still)
    beside.locator("#cloud .step").press("ArrowRight")
    until(beside, "() => document.querySelector('#cloud .said').textContent.includes('draws')")
    assert "step=6" in beside.url
    # A link to the Sample tab's model stays what it is; the baseline has nothing to show and says so.
    page.locator("#model-bar label", has_text="LSTM").click()
    until(page, "() => document.querySelector('#cloud .said').textContent.includes('no latent space')")


@pytest.mark.browser
def test_each_tab_opens_by_click_and_has_its_address(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for name in ("race", "latent", "inside", "learn", "results"):
        page.locator(f"#tabs button[role=tab][data-tab-id={name}]").click()
        until(page, f"() => location.search.includes('tab={name}')")
        page.wait_for_selector(f"#tab-{name}", state="visible")
        assert name != "race" or "dataset=jsb" in page.url  # the race that Race would start
    page.locator("#tabs button[role=tab][data-tab-id=sample]").click()
    until(page, "() => !location.search.includes('tab=')")


@pytest.mark.browser
def test_on_the_narrowest_phone_sliders_can_be_drawn_and_the_tab_is_named_in_full(
    open_page: Callable[..., Any],
) -> None:
    page = open_page("?tab=latent&dataset=jsb&variant=af-scf&step=3", width=320, height=640)
    until(page, "() => document.querySelector('#cloud .said')?.textContent.includes('draws')")
    for name in ("step", "layer"):
        assert page.locator(f"#cloud .{name}").bounding_box()["width"] > 140
    page.set_viewport_size({"width": 1280, "height": 800})
    long = " ".join(["C#4"] * 10)  # nor does a chord of many notes take any of the slider's
    width = page.locator("#cloud .step").bounding_box()["width"]
    page.evaluate("(long) => { document.querySelector('#cloud .stepWords').textContent = long; }", long)
    assert page.locator("#cloud .step").bounding_box()["width"] == width > 900
    page = open_page("?tab=inside", width=320, height=640)
    page.wait_for_selector("#inside .body", state="visible")
    chosen = "() => document.querySelector('#tabs button[role=tab][aria-selected=true]')"
    assert page.evaluate(f"{chosen}.textContent") == "Inside a sequence"
    assert page.evaluate(f"{chosen}.scrollWidth <= {chosen[6:]}.clientWidth")


@pytest.mark.browser
def test_a_link_that_names_half_a_model_or_none_there_is_opens_no_empty_tab(open_page: Callable[..., Any]) -> None:
    said = "document.querySelector('#cloud .said')?.textContent"
    page = open_page("?tab=latent&dataset=ptb")
    until(page, f"() => {said}?.includes('draws of the hidden vector')")
    assert page.locator("#cloud .title").text_content() == "■ AF/SCF · Penn Treebank"
    page = open_page("?tab=latent&dataset=ptb&variant=nope")
    until(page, f"() => {said}?.includes('draws of the hidden vector')")
    words = page.locator("#cloud .said").text_content()
    assert words.startswith("There is no checkpoint 'ptb/nope'; of Penn Treebank there are ptb/")
    assert "jsb/" not in words
    page.locator("#cloud .step").press("ArrowRight")
    until(page, f"() => !{said}.includes('nope') && {said}.includes('draws of the hidden vector')")
    # Of a link that is wrong in places the rest is followed, and every place is named.
    page = open_page("?tab=latent&dataset=ptb&variant=af-scf&seed=abc&step=9999&text=abba&layer=99&beside=7")
    until(page, f"() => {said}?.includes('draws of the hidden vector')")
    words = page.locator("#cloud .said").text_content()
    assert words.startswith("The seed is abc; give a whole number") and "The step is 9999; give a whole number" in words
    assert "The layer is 99; give a number from 0 to 2." in words and "The link says beside=7" in words
    assert "text=abba" in page.url


@pytest.mark.browser
@pytest.mark.parametrize("tab", ["race", "learn"])
def test_a_model_there_is_not_is_said_in_the_tab_that_is_open(open_page: Callable[..., Any], tab: str) -> None:
    page = open_page(f"?tab={tab}&dataset=nope&plain=yes")
    said = page.locator(f"#tab-{tab} .lnf-link")
    said.wait_for()
    assert said.text_content().startswith("There is no checkpoint 'nope/af-scf'; the data sets here are jsb, ")
    if tab == "race":
        assert page.locator("#race .now").text_content().startswith("The link says plain=yes; ")
    page.locator("#model-bar label", has_text="All at once").click()
    said.wait_for(state="detached")
