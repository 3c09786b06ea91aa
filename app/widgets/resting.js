// The sign with which Gradio opens the page counts the time in every frame, and never stops: it is taken away before it
// hears that the page is there, and a page in sight would draw sixty frames a second for nobody. Its count ends with it;
// what else asks for frames, now or later, gets them from the browser.
{
  const request = window.requestAnimationFrame;
  const isThere = () => document.getElementById("tabs") !== null;
  const counts = (callback) => String(callback).includes("performance.now()");
  let counting = false;
  window.requestAnimationFrame = (callback) => {
    if (!counting && (isThere() || !counts(callback))) return request.call(window, callback);
    if (isThere()) {
      window.requestAnimationFrame = request;
      return 0;
    }
    return request.call(window, (now) => {
      counting = true;
      try { callback(now); } finally { counting = false; }
    });
  };
}
