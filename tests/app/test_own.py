"""Going on from what a visitor brings along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pretty_midi
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pages import until

import lnf_core
from app.cache import uploaded
from app.fields import Settings
from app.limits import LIMITS, FieldError
from app.services import sampling as service
from app.services import sequences
from app.services.inside import InsideViews
from app.services.models import LoadedModels
from app.services.own import read_text
from app.services.sampled import Music, Text
from app.services.sampling import Sampling
from app.services.sequences import Request, Sequences
from app.widgets.piano_roll.payload import roll_payload
from app.widgets.status.payload import status
from app.widgets.text_lines.payload import text_payload
from lnf_core.analysis.keys import likeliest_key
from lnf_core.data import Vocabulary
from lnf_core.music import MAX_BYTES, Performance, roll_to_midi
from lnf_core.music.reader import NOT_MIDI, TOO_LARGE
from lnf_core.storage.find import load


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """Six steps of three voices that climb."""
    roll = torch.zeros(6, 88)
    for step in range(6):
        roll[step, [40 + step, 44 + step, 47 + step]] = 1.0
    Performance("jsb").write_midi(roll, tmp_path / "mine.mid")
    return tmp_path / "mine.mid"


@pytest.mark.parametrize("variant", ["af-scf", "iaf-scf"])
def test_music_goes_on_from_a_file(here: Path, sampling: Sampling, midi: Path, tmp_path: Path, variant: str) -> None:
    settings = Settings.check(f"jsb/{variant}", length=12, count=2, seed=4, midi=str(midi))
    result = sampling.sample(settings, tmp_path / "out")
    assert isinstance(result, Music)
    model = lnf_core.load(f"jsb/{variant}").model
    search = likeliest_key(model, Performance("jsb").read(midi).roll, generator=torch.Generator().manual_seed(0))
    wanted = search.rolls[search.best]
    assert result.given == pytest.approx(6 * 60 / 96) and roll_payload(result)["given"] == 3.75
    assert status(result)["without"]  # no link holds the file
    for piece in result.pieces:
        assert piece.roll.shape == (12, 88)
        torch.testing.assert_close(piece.roll[:6], wanted)
    shift = search.shifts[search.best]
    assert (f"by {abs(shift)} semitone" in result.note) == (shift != 0)
    assert "midi" not in settings.query()
    # half of what is asked for is the model's
    shorter = sampling.sample(Settings.check(f"jsb/{variant}", length=8, midi=str(midi)), tmp_path / "short")
    assert isinstance(shorter, Music) and "of its 6 beats the first 4 are used" in shorter.note


def test_notes_faster_than_the_models_grid_are_told_of(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    roll = torch.zeros(12, 88)
    roll[torch.arange(12), 39 + torch.arange(12)] = 1.0
    midi = roll_to_midi(roll, steps_per_beat=2)  # eighths
    midi.write(str(tmp_path / "eighths.mid"))
    settings = Settings.check("jsb/af-scf", length=12, seed=4, midi=str(tmp_path / "eighths.mid"))
    result = sampling.sample(settings, tmp_path / "out")
    assert isinstance(result, Music) and "6 of its 12 notes begin between the beats" in result.note


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_text_goes_on_from_what_is_typed(here: Path, sampling: Sampling, tmp_path: Path, variant: str) -> None:
    settings = Settings.check(f"ptb/{variant}", count=3, seed=4, begin="abba")
    result = sampling.sample(settings, tmp_path)
    assert isinstance(result, Text) and result.given == text_payload(result)["given"] == 4
    assert all(line.text.startswith("abba") and 4 < len(line.symbols) <= 12 for line in result.lines)
    assert len({line.text for line in result.lines}) > 1
    assert "begin=abba" in settings.query()
    last = sampling.sample(Settings.check(f"ptb/{variant}", length=5, seed=4, begin="abba"), tmp_path)
    # A flow has drawn no more than one; the baseline had to read the beginning symbol by symbol.
    assert status(last)["text"].endswith(
        {"af-scf": ", one step, seed 4.", "lstm": ", 5 steps one after another, seed 4."}[variant]
    )


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("THE Company", "the company"),
        ("N years, said the board of N", "N years, said the board of N"),  # a number of the data
        ("New NATO plan N-year", "new nato plan N-year"),
        ("he\u2019s", "he's"),  # as a phone writes it
        ("ÀÉ", None),
    ],
)
def test_capitals_are_read_as_the_small_letters_the_model_knows(typed: str, read: str | None) -> None:
    loaded = load("ptb/lstm")
    assert loaded.vocabulary is not None
    vocabulary = Vocabulary.from_list([*loaded.vocabulary.to_list(), ","])
    if read is None:
        with pytest.raises(
            FieldError, match=r"“À” \(character 1\), “É” \(character 2\); it knows small letters, digits"
        ):
            read_text(typed, vocabulary, loaded.model)
        return
    own = read_text(typed, vocabulary, loaded.model)
    assert vocabulary.decode(own.x) == read
    assert ("small letters" in own.remark) is (typed.replace("\u2019", "'") != read)


def test_what_cannot_be_gone_on_from_is_said(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    for text, field, words in (
        ("a" * 13, "begin", "give at most 12"),
        ("a" * 12, "begin", "12 are all this model takes: give 11 at most"),
        ("aΩ", "begin", r"“Ω” \(character 2\); it knows"),
        ("a\tb\u200dc", "begin", r"know tab \(character 2\), zero width joiner \(character 4\); it knows"),
        ("abcabc", "length", "length is 6 and the beginning already has 6 characters"),
    ):
        with pytest.raises(FieldError, match=words) as caught:
            sampling.sample(Settings.check("ptb/af-scf", begin=text, length=6 if field == "length" else None), tmp_path)
        assert caught.value.field == field
    for content, words in ((b"", "empty"), (b"no music", "MIDI"), (None, "deleted")):
        path = tmp_path / "bad.mid"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(FieldError, match=words) as caught:
            sampling.sample(Settings.check("jsb/af-scf", midi=str(path)), tmp_path)
        assert caught.value.field == "midi" and str(tmp_path) not in str(caught.value)


def test_there_is_room_to_go_on(
    here: Path, sampling: Sampling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def length(begin: str, **values: int) -> int:
        result = sampling.sample(Settings.check("ptb/af-scf", begin=begin, count=1, **values), tmp_path)
        assert isinstance(result, Text)
        return len(result.lines[0].symbols)

    assert length("abcabc", length=7) == 7
    assert length("a" * 11) == 12
    monkeypatch.setitem(service._FURTHER, "text", 4)
    lengths = [length("abab", seed=seed) for seed in range(9)]
    assert min(lengths) == 8 and max(lengths) > 8


def test_of_a_long_file_the_beginning_is_looked_into(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    roll = torch.zeros(20, 88)
    roll[torch.arange(20), 40 + torch.arange(20)] = 1.0
    Performance("jsb").write_midi(roll, tmp_path / "long.mid")
    asked = Request("jsb/af-scf", 0, 1, midi=str(tmp_path / "long.mid"))
    assert len(Sequences(LoadedModels()).get(asked).x) == 12  # all that the model takes
    monkeypatch.setattr(sequences, "LIMITS", replace(LIMITS, own_steps=5))
    studied = Sequences(LoadedModels()).get(asked)
    assert len(studied.x) == 5 and "of its 20 beats the first 5 are used" in studied.remark


def test_clients_send_files(server: str, midi: Path, tmp_path: Path) -> None:
    client = Client(server, verbose=False, download_files=str(tmp_path / "downloads"))
    _, roll, _ = client.predict("jsb/af-scf", "12", 1, midi=handle_file(str(midi)), api_name="/sample")
    assert roll["given"] > 0 and Performance("jsb").read(Path(roll["samples"][0]["midi"])).roll.shape == (12, 88)
    for endpoint in ("/latent", "/inside"):
        shown = client.predict("jsb/af-scf", midi=handle_file(str(midi)), api_name=endpoint)
        assert len(shown["names"]) == 6 and all(len(chord.split()) == 3 for chord in shown["names"])
        with pytest.raises(AppError, match="was sent here"):
            client.predict("jsb/af-scf", midi="/etc/passwd", api_name=endpoint)


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/../tmp/x.mid", "..", "\0", 3, ["x"], {"path": "x.mid"}])
def test_only_files_that_were_sent_are_looked_into(here: Path, path: object) -> None:
    with pytest.raises(FieldError, match="was sent here"):
        InsideViews(Sequences(LoadedModels())).view({"checkpoint": "jsb/af-scf", "midi": path})


@pytest.mark.parametrize("name", ["song.mid", "Song.MID", "song.midi"])
def test_a_file_that_was_sent_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    sent = tmp_path.resolve() / name
    assert uploaded(str(sent)) == uploaded(f"{sent.parent}/folder/../{name}") == str(sent)
    with pytest.raises(FieldError, match="not a MIDI file"):
        uploaded(f"{sent}.txt")


@pytest.mark.browser
@pytest.mark.parametrize("tab", ["inside", "cloud"])
def test_own_music_is_looked_into(open_page: Callable[..., Any], midi: Path, tmp_path: Path, tab: str) -> None:
    page = open_page(f"?tab={'latent' if tab == 'cloud' else tab}&dataset=jsb&variant=af-scf")
    page.wait_for_selector(f"#{tab} .bring", state="visible")
    page.locator(f"#{tab} .bring input").set_input_files(str(midi))
    until(page, f"() => document.querySelector('#{tab} .details').textContent.includes('your music')")
    assert "midi" not in page.url
    for name in ("noise.mid", "noise.txt"):
        bad = tmp_path / name
        bad.write_bytes(b"no music at all")
        page.locator(f"#{tab} .bring input").set_input_files(str(bad))
        refused = page.locator(f"#{tab} .said.bad")
        refused.wait_for()
        assert refused.text_content().startswith("This is not a MIDI file; choose a Standard MIDI File (.mid).")
        below = refused.bounding_box()["y"] - page.locator(f"#{tab} header").bounding_box()["y"]
        assert below < 80  # where the file was chosen
        page.locator(f"#{tab} .step").press("ArrowLeft")
        refused.wait_for(state="detached")
    page.locator(f"#{tab} .another").click()
    page.locator(f"#{tab} .bring input").set_input_files(str(bad))  # while the other sequence is on its way
    until(page, f"() => document.querySelector('#{tab} .details').textContent.includes('seed')")
    until(page, f"() => !document.querySelector('#{tab} [aria-busy]')")
    assert refused.text_content().startswith("This is not a MIDI file")


@pytest.mark.browser
def test_the_page_goes_on_from_a_file_and_from_text(open_page: Callable[..., Any], midi: Path) -> None:
    page = open_page()
    page.locator("#more button").click()
    assert "instrument, go on" in page.locator("#more").inner_text()
    refused = page.locator("#midi .lnf-refusal")
    large = {"name": "song.mid", "mimeType": "audio/midi", "buffer": bytes(MAX_BYTES + 1)}
    page.locator("#midi input[type=file]").set_input_files(large)
    assert refused.text_content() == TOO_LARGE
    assert refused.get_attribute("role") == "alert"  # the line beside the button says nothing of it
    page.evaluate("""() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["MThd"], "song.txt"));
      const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
      document.querySelector("#midi button").dispatchEvent(drop);
    }""")
    assert refused.text_content() == NOT_MIDI
    page.locator("#midi input[type=file]").set_input_files(str(midi))
    refused.wait_for(state="detached")
    assert page.locator(".toast-body").count() == 0
    page.wait_for_selector("#midi >> text=mine")
    assert page.locator("#begin").is_hidden()  # music goes on from no text
    page.locator("#length input, #length textarea").fill("12")
    page.locator("#sample-button").click()
    until(page, "() => document.querySelector('#status').textContent.includes('go on from yours')")
    bad = midi.with_name("silent.mid")
    pretty_midi.PrettyMIDI().write(str(bad))
    for path in (bad, midi):  # what was said of one file is not said of the next
        page.locator("#midi button[aria-label=Clear]").click()
        page.locator("#midi .lnf-refusal").wait_for(state="detached")
        until(page, "() => document.querySelector('#status').textContent.includes('go on from yours')")
        page.locator("#midi input[type=file]").set_input_files(str(path))
        page.wait_for_selector(f"#midi >> text={path.stem}")
        page.locator("#sample-button").click()
        if path == bad:
            page.wait_for_selector("#midi .lnf-refusal >> text=no notes")
    # What is under way takes no second press.
    until(page, "() => document.querySelector('#status').textContent.includes('go on from yours')")
    page.locator("#model-bar label", has_text="Penn Treebank").click()
    page.wait_for_selector("#begin", state="visible")
    assert page.locator("#midi").is_hidden() and "seed, go on" in page.locator("#more").inner_text()
    page.locator("#length input, #length textarea").fill("")
    page.locator("#begin input, #begin textarea").fill("abba")
    page.locator("#sample-button").click()
    page.wait_for_selector("#lines .given >> nth=0")
    assert page.locator("#lines li >> nth=0").locator(".line .given").all_text_contents() == list("abba")
    assert "begin=abba" in page.url and page.locator("#status .copy").text_content() == "Copy link"
    again = open_page(page.url[page.url.index("?") :])
    again.wait_for_selector("#lines .line .given >> nth=0")
