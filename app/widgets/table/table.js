// value: { title, caption, file, columns: [{ label, number }], rows: [{ variant, marker, group, best: [column], cells: [text] }] }
function cellOf(row, text, at, column) {
  const cell = make(at === 0 ? "th" : "td", column.number ? "number" : "");
  if (at === 0) cell.scope = "row";
  if ((row.best || []).includes(at)) cell.classList.add("best");
  cell.append(...(at === 0 && row.marker ? marked(row.variant, row.marker, text) : [text]));
  return cell;
}

function draw() {
  const value = props.value;
  if (!isWhole(value)) return;
  find(".title").textContent = value.title;
  find(".caption").textContent = value.caption;
  find(".scroll").setAttribute("aria-label", value.title);
  find("thead tr").replaceChildren(...value.columns.map((column) => {
    const head = make("th", column.number ? "number" : "", column.label);
    head.scope = "col";
    return head;
  }));
  find("tbody").replaceChildren(...value.rows.map((row) => {
    const line = make("tr", row.group ? "group" : "");
    line.append(...row.cells.map((text, at) => cellOf(row, text, at, value.columns[at])));
    return line;
  }));
  find(".csv").hidden = !value.rows.length;
  find(".csv").setAttribute("aria-label", "Download the table as CSV: " + value.title);
}

find(".csv").addEventListener("click", () => {
  const quote = (text) => '"' + String(text).replaceAll('"', '""') + '"';
  const lines = [props.value.columns.map((column) => column.label), ...props.value.rows.map((row) => row.cells)];
  // The mark before the first line tells Excel that this is UTF-8.
  save(new Blob(["\ufeff" + lines.map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }), props.value.file);
});

draw();
watch("value", draw);
announces(() => isWhole(props.value) && props.value.status);
