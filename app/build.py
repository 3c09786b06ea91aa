"""Puts the page together and serves it."""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr
import torch
from starlette.middleware import Middleware

from app import catalogue
from app.cache import AGE, kept_by, sweep_always
from app.fields import TABS
from app.frame import Footer, Header
from app.limits import LIMITS
from app.memory import share_heaps
from app.model_bar import ModelBar
from app.sent import FirstWords, PackedPage, Script, in_large_parts
from app.services.annealing import Annealing
from app.services.between import Between
from app.services.guess import Guess
from app.services.inside import InsideViews
from app.services.latent import LatentViews
from app.services.models import LoadedModels
from app.services.racing import Racing
from app.services.sampling import Sampling
from app.services.sequences import Sequences
from app.services.sound import Sound
from app.tabs.inside import InsideTab
from app.tabs.latent import LatentTab
from app.tabs.learn import LearnTab
from app.tabs.link import UNTIL_READ
from app.tabs.race import RaceTab
from app.tabs.results import ResultsTab
from app.tabs.sample import SampleTab
from app.tabs.tab import Tab
from app.theme import CSS_FILE, theme
from app.turns import Places, Turns
from app.widgets import script
from app.zerogpu import let_start

TITLE = "Latent flows"


def build_app(*, warm: bool = False) -> gr.Blocks:
    """The page with all its listeners, not yet served; ``warm`` gets sound and models ready in the background."""
    turns = Turns()
    sound = Sound(turns)
    sampling = Sampling(sound.note, turns)
    if warm:
        threading.Thread(target=_get_ready, args=(sound, sampling.models), name="warm-up", daemon=True).start()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, int(AGE))) as page:
        Header().render()
        bar = ModelBar()
        bar.render()
        sequences, places = Sequences(sampling.models), Places()
        sample = SampleTab(sampling, sound)
        tabs: list[Tab] = [
            sample,
            RaceTab(Racing(sampling.models)),
            LatentTab(LatentViews(sequences), places),
            InsideTab(InsideViews(sequences), places, Between(sampling, sequences), sound),
            LearnTab(Annealing(), Guess(sampling), sound),
            ResultsTab(),
        ]
        assert tuple(tab.name for tab in tabs) == TABS
        with gr.Tabs(elem_id="tabs") as choice:
            for tab in tabs:
                # Rendered though unseen: Gradio leaves out the properties of widgets it mounts later.
                with gr.Tab(tab.title, id=tab.name, elem_id=f"tab-{tab.name}", render_children=True):
                    tab.render()
        Footer().render()

        def follow(request: gr.Request) -> list[Any]:
            link = dict(request.query_params)
            name = link.get("tab")
            updates: list[Any] = [gr.Tabs(selected=name) if name in TABS else gr.skip()]
            for tab in tabs:
                updates += tab.follow(link) if tab.name == name else [gr.skip() for _ in tab.linked()]
            return updates

        page.load(None, None, None, js=UNTIL_READ)
        # What a link asks for that needs no model is one event: those of an opening page wait for one another.
        filled = [choice, *(field for tab in tabs for field in tab.linked())]
        followed = page.load(follow, None, filled, api_visibility="private", show_progress="hidden")
        for tab in tabs:
            tab.listen(page, bar, followed)
    _keep_progress_on(sample.status, page)
    page.queue(max_size=LIMITS.queue, default_concurrency_limit=8)
    _let_rest(page)
    return page


def _keep_progress_on(small: gr.HTML, page: gr.Blocks) -> None:
    """Let Gradio tell one small component of the progress that no event of ours shows that way.

    It tells every component an event ever filled, at each event, and copies all that each of them holds to do so: with
    the tabs among them, the whole page again and again.
    """
    for function in page.fns.values():
        if function.show_progress == "hidden":
            function.show_progress_on = [small]


def _let_rest(page: gr.Blocks) -> None:
    """Let Gradio look for something to do a hundred times a second and for progress to tell ten times.

    It does so a thousand and a hundred times, which takes 7 % of a core while nobody asks for anything.
    """
    page._queue.sleep_when_free = 0.01
    page._queue.progress_update_sleep_when_free = 0.1


def _get_ready(sound: Sound, models: LoadedModels) -> None:
    sound.warm_up()  # first: a sample lies ready and is played before anything is drawn
    models.warm_up([entry.name for entry in catalogue.catalogue() if entry.problem is None])


def _name_tools(page: gr.Blocks) -> None:
    """Call a tool what its endpoint is called: Gradio takes the name of the function behind it."""
    for function in page.fns.values():
        if function.api_visibility == "public" and isinstance(function.api_name, str) and function.fn is not None:
            function.fn.__name__ = function.api_name


def launch(host: str = "127.0.0.1", port: int = 7860, *, share: bool = False, mcp: bool = False) -> None:
    """Serve the page until interrupted; Gradio prints the address."""
    # Several visitors are served at a time: one thread each does more than all of them on all cores.
    torch.set_num_threads(1)
    share_heaps()
    in_large_parts()
    let_start()
    page = build_app(warm=True)
    sweep_always(kept_by(page))
    if mcp:
        _name_tools(page)
    scripts = Script(script())
    page.launch(
        server_name=host,
        server_port=port,
        share=share,
        mcp_server=mcp,
        theme=theme(),
        css_paths=CSS_FILE,
        run_history=False,
        footer_links=["api"],
        app_kwargs={
            "middleware": [Middleware(PackedPage, compresslevel=5), Middleware(FirstWords, script=scripts.tag)],
            "routes": [scripts.route],
        },
        max_file_size="2mb",
        ssr_mode=False,
        show_error=False,
        enable_monitoring=False,
    )
