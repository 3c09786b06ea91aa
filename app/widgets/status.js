// Says what was done, offers its seed and its link, and keeps the address of the page in step with it.
function address(query) {
  const values = new URLSearchParams(query);
  const theme = new URLSearchParams(location.search).get("__theme");
  if (theme) values.set("__theme", theme);
  return location.pathname + "?" + values.toString();
}

function draw() {
  const value = props.value;
  const done = isWhole(value) && value.kind === "done";
  find(".words").textContent = isWhole(value) ? value.text : "";
  find(".status").classList.toggle("bad", isWhole(value) && value.kind === "error");
  find(".reuse").hidden = find(".copy").hidden = !done;
  find(".copy").textContent = "Copy link";
  if (done && !value.opening) history.replaceState(history.state, "", address(value.query));
}

find(".copy").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const link = location.origin + address(props.value.query);
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = "Link copied";
  } catch {
    window.prompt("The link to this sample:", link); // pages without https may not use the clipboard
  }
});
find(".reuse").addEventListener("click", () => trigger("select", { seed: props.value.seed }));

draw();
watch("value", draw);
