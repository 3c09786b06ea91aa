// Gradio mounts and draws in its own time: what `look` finds, now or once the page has changed so that it finds something.
// Null where nothing was found within `patience` milliseconds.
function whenThere(look, patience = 20000) {
  return new Promise((done) => {
    const found = look();
    if (found) { done(found); return; }
    const end = (found) => { watching.disconnect(); clearTimeout(limit); done(found); };
    const watching = new MutationObserver(() => { const found = look(); if (found) end(found); });
    const limit = setTimeout(() => end(look() || null), patience);
    watching.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
  });
}
