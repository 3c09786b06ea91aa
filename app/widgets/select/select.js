// The browser's own list: it opens, closes and is left with Tab as people expect.
const list = find("select");

function draw() {
  find(".words").textContent = props.words || "";
  const names = props.options || [];
  if (list.options.length !== names.length) list.replaceChildren(...names.map((name) => new Option(name, name)));
  list.value = props.value;
}
list.addEventListener("change", () => { props.value = list.value; });

draw();
watch(["value", "options"], draw);
