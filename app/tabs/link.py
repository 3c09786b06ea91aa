"""How the page follows its link: what is held back until it is read, what is pressed then, and what is said.

``window.lnfRead`` holds the ``problem`` of a link that has been read, empty where there is none; the event ``lnf-read``
says when.
"""

from __future__ import annotations

import json

from app.fields import LINK_NAMES
from app.widgets import page_script

UNTIL_READ = page_script("""
  // Enter in any of the settings samples.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("#settings input:not([type=checkbox])")) return;
    event.target.dispatchEvent(new Event("change", { bubbles: true }));
    document.querySelector("#sample-button").click();
  });
  if (!new URLSearchParams(location.search).size) return;
  // Reading takes seconds where the model has to be loaded first: pressed before, they would draw another model.
  const root = document.documentElement;
  const hold = (event) => {
    if (!event.target.closest("#sample-button, #race-button")) return;
    event.stopImmediatePropagation();
    event.preventDefault();
  };
  root.classList.add("lnf-reading");
  document.addEventListener("click", hold, true);
  root.addEventListener("lnf-read", () => {
    root.classList.remove("lnf-reading");
    document.removeEventListener("click", hold, true);
  }, { once: true });
""")

_READ = """
  const asked = new URLSearchParams(location.search), tab = asked.get("tab") || "sample";
  const read = (problem) => {
    window.lnfRead = { problem };
    document.documentElement.dispatchEvent(new CustomEvent("lnf-read"));
    // What could not be followed is said beside the button; where that is out of sight, before what the tab holds.
    if (!problem || !["race", "learn", "results"].includes(tab)) return; // the others say it themselves
    whenThere(() => document.getElementById("tab-" + tab)).then((panel) => {
      if (!panel) return;
      const note = document.createElement("p");
      note.className = "lnf-refusal lnf-link";
      note.textContent = problem;
      note.setAttribute("role", "alert");
      panel.prepend(note);
      document.addEventListener("click", () => note.remove(), { capture: true, once: true });
    });
  };
"""
# What a link asks for is pressed as soon as it is there; nobody has touched the page by that (common.js).
_PRESS = """
  const press = (selector) => whenThere(() => document.querySelector(selector)).then((button) => {
    if (!button) return;
    window.lnfPressing = true;
    button.click();
    window.lnfPressing = false;
  });
"""

# A link with settings samples by itself, unless it asks for something that cannot be; a bare address keeps the
# ready-made sample.
ON_READ = page_script(
    _READ
    + _PRESS
    + """
  const problem = (status && status.kind === "error" && status.text) || "";
  read(problem);
  if (!problem && tab === "sample" && %s.some((name) => asked.has(name))) press("#sample-button");
"""  # noqa: UP031 - the script is full of braces
    % json.dumps([name for name in LINK_NAMES if name != "tab"]),
    "status",
)
"""Given what the line above the picture says, where the server has read the link."""

NOT_READ = page_script(
    _READ
    + """
  const busy = "Too many are waiting just now to follow this link; reload the page in a moment.";
  read(busy);
  whenThere(() => document.querySelector("#status .words")).then((words) => { if (words) words.textContent = busy; });
"""
)
"""In place of :data:`ON_READ`, where the queue was full."""

MIX_IF_ASKED = page_script(
    _PRESS
    + """
  const asked = new URLSearchParams(location.search);
  if (asked.get("tab") !== "inside" || !(asked.has("first") || asked.has("second"))) return;
  if (said && said.kind === "error") return;
  const mix = () => { press("#mix"); };
  if (window.lnfRead) mix(); else document.documentElement.addEventListener("lnf-read", mix, { once: true });
""",
    "said",
)
"""A link with two seeds mixes by itself, once the page has taken up the link's model; given what is said of the way."""
