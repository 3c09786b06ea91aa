"""A folder of small real checkpoints, and a real server process that uses it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from app_server import load, serving
from tiny_models import save_tiny, tiny_model

from app.services.sampling import Sampling
from benchmarks.browser import find_chromium
from lnf_core.config import LatentFlowConfig
from lnf_core.models.build import SequenceModel, build_model
from lnf_core.storage.bundle import save_checkpoint

ROOT = Path(__file__).resolve().parents[2]

with load(ROOT / "app.py").no_type_stubs():
    import gradio  # noqa: F401 - here, so that nothing imports it the slow way

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    # Whatever a page asks of another place than the server fails, and Chromium complains of it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

PAGES = pytest.StashKey[list[Any]]()
SEEN = """() => {
  const words = ["#status .words", "#sample-button", "#sample-cancel", "#race .now"].map((at) => {
    const found = document.querySelector(at);
    const state = found && (found.disabled ? " disabled" : "") + (found.checkVisibility() ? "" : " hidden");
    return found && at + state + ": " + found.textContent;
  });
  return [location.search, ...words, "focus: " + document.activeElement.id].join("\\n");
}"""


def quiet_model(variant: str) -> SequenceModel:
    """A tiny music model that plays a few keys around the middle, so that a roll has notes and gaps."""
    model = tiny_model(variant)
    with torch.no_grad():
        model.emission.bias.fill_(-12.0)
        model.emission.bias[27:60] = -1.5
    return model


def slow_model() -> SequenceModel:
    """A music model whose hidden numbers the plain engine draws one after another, for a minute if it is let."""
    sizes = {"embedding_size": 4, "hidden_size": 4, "position_size": 2, "flow_hidden": 8}
    layers = {"flow_layers": 5, "prior_layers": 1, "encoder_layers": 1, "decoder_layers": 1}
    whole = LatentFlowConfig(
        vocab_size=88, likelihood="bernoulli", max_length=1024, latent_size=40, dimension_flow="af", **sizes, **layers
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return build_model(whole, torch.ones(1025)).eval()


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music and text models, one of them slow, one truncated and one that is no checkpoint at all."""
    root = tmp_path_factory.mktemp("checkpoints")
    for variant in ("af-af", "af-scf", "iaf-scf"):
        save_checkpoint(root / "jsb" / variant, quiet_model(variant), dataset="jsb", vocabulary=None, training={})
    save_checkpoint(root / "nottingham" / "af-af", slow_model(), dataset="nottingham", vocabulary=None, training={})
    for variant in ("af-scf", "lstm"):
        save_tiny(root / "ptb" / variant, variant, "text")
    save_tiny(root / "ptb" / "iaf-scf", "iaf-scf", "text")
    weights = root / "ptb" / "iaf-scf" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    (root / "jsb" / "lstm").mkdir()
    (root / "jsb" / "lstm" / "config.json").write_text("{}")
    return root


@pytest.fixture
def here(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder for code that runs in this process."""
    monkeypatch.setenv("LNF_CHECKPOINTS", str(checkpoints))
    return checkpoints


@pytest.fixture(scope="module")
def sampling() -> Sampling:
    return Sampling()


@pytest.fixture
def compiled_engine(kernels: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Released models sampled as on the page once its kernels are there; plain PyTorch takes ten times as long."""
    monkeypatch.setenv("LNF_ENGINE", "numba_cpu")


@pytest.fixture(scope="session")
def server(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``python app.py`` running on 127.0.0.1."""
    environment = {"LNF_CHECKPOINTS": str(checkpoints)}
    beside = ROOT.parent / "shared" / "data"
    if beside.is_dir() and "LNF_DATA_DIR" not in os.environ:
        environment["LNF_DATA_DIR"] = str(beside)
    folder = tmp_path_factory.mktemp("server")
    with serving(ROOT, folder, **environment) as address:
        yield address
    assert address in (folder / "log").read_text(), "the address was not printed"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_chromium()
    if path is None:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def pages(browser: Any) -> Iterator[Callable[[int], Any]]:  # noqa: ANN401 - playwright may not be installed
    """Pages by number, made once: one that held the app before opens it in half the time."""
    contexts: list[Any] = []  # one each: of several pages in a window only the foremost is drawn
    made: list[Any] = []

    def page(number: int) -> Any:  # noqa: ANN401
        while len(made) <= number:
            contexts.append(browser.new_context())
            made.append(contexts[-1].new_page())
        return made[number]

    yield page
    for context in contexts:
        context.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that starves on a busy machine gets a second try, which the summary names; everything else has one."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the pages showed is part of the report of a test that failed."""
    report = yield
    if report.when == "call" and report.failed:
        for number, page in enumerate(item.stash.get(PAGES, [])):
            try:
                seen = page.evaluate(SEEN)
            except Exception as error:
                seen = repr(error)
            report.sections.append((f"page {number}", str(seen)))
    return report


@pytest.fixture
def open_page(pages: Callable[[int], Any], server: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Opens the app anew, as nobody has seen it; after the test, nothing it did may have made the browser complain."""
    complaints: list[str] = []

    def hear(message: Any) -> None:  # noqa: ANN401
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location['url']})")

    listeners = {"pageerror": lambda error: complaints.append(str(error)), "console": hear}
    used: list[Any] = []
    request.node.stash[PAGES] = used

    def opened(query: str = "", width: int = 1280, height: int = 900, scheme: str = "light") -> Any:  # noqa: ANN401
        page = pages(len(used))
        used.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme, reduced_motion="no-preference")
        page.set_default_timeout(20_000)
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(server + query)
        page.wait_for_selector("#roll canvas.notes, #lines .lines", state="attached")
        return page

    yield opened
    for page in used:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.goto("about:blank")
    assert complaints == []
