// The page: chooses a model, classifies what is typed, and shows the result.
"use strict";

/** The number of labels that are shown. */
const SHOWN_LABELS = 5;

const element = (id) => document.getElementById(id);
const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

const library = decode(TERN_WASM);
const module = new WebAssembly.Module(library);
/** The model, its file and the last result. */
const shown = { model: null, file: null, result: null };

/** Makes an element with a class and a text. */
function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Loads a device file and shows what it is, or why it is refused. */
function open(file, name) {
  const summary = element("summary");
  try {
    const model = new Tern(module, file);
    if (model.labels.every((label) => label === "")) {
      throw new Error("it is no classifier; `tern generate` and `tern predict` run other models");
    }
    Object.assign(shown, { model, file });
    const { passed, total } = model.selfTest;
    summary.className = "";
    summary.textContent =
      `${model.name}: ${model.labels.length} labels, ${file.length.toLocaleString("en")} bytes of flash, ` +
      `${(4 * model.scratchWords).toLocaleString("en")} bytes of RAM. ` +
      `Self-test: ${passed} of ${total} golden examples exact.`;
    element("input-label").textContent =
      model.channels === 0 ? "Text" : `Numbers: one time step a line, ${model.channels} channels`;
    classify();
  } catch (error) {
    summary.className = "error";
    summary.textContent = `${name}: ${error.message}`;
  }
}

/** Classifies the input and shows the result. */
function classify() {
  const { model } = shown;
  if (model === null) {
    return;
  }
  const text = element("input").value;
  const steps = text.split("\n").filter((line) => line.trim() !== "").map((line) => line.split(/[ ,;\t]+/).map(Number));
  const isWrong = model.channels > 0 && steps.some((step) => step.length !== model.channels);
  if (isWrong) {
    element("answer").textContent = `Expected ${model.channels} numbers in each line.`;
    return;
  }
  const start = performance.now();
  const result = model.channels > 0 ? model.classifyValues(steps) : model.classify(text);
  const milliseconds = performance.now() - start;
  shown.result = result;
  element("tokens").replaceChildren(...result.tokens.map((token) => {
    const chip = make("li", token.isKnown ? "" : "unknown", token.text);
    if (!token.isKnown) {
      chip.title = "not in the vocabulary";
      chip.setAttribute("aria-label", `${token.text}, not in the vocabulary`);
    }
    return chip;
  }));
  const order = result.probabilities.map((_, index) => index);
  order.sort((a, b) => result.logits[b] - result.logits[a] || a - b);
  element("answer").textContent = answer(model, result, text);
  element("bars").replaceChildren(...order.slice(0, SHOWN_LABELS).map((index) => {
    const share = 100 * result.probabilities[index];
    const row = make("tr", "", "");
    const bar = make("span", "bar", "");
    bar.style.width = `${share}%`;
    const cell = make("td", "", "");
    cell.append(bar);
    row.append(make("td", "label", model.labels[index]), cell, make("td", "share", `${share.toFixed(1)} %`));
    return row;
  }));
  element("cost").textContent =
    `${result.tokenCount} tokens or steps, ${result.unknownCount} unknown; ` +
    `${(model.macsPerToken * result.tokenCount).toLocaleString("en")} multiply-accumulates, ${milliseconds.toFixed(1)} ms here`;
}

/** The answer in words. */
function answer(model, result, text) {
  if (text.trim() === "") {
    return "Type something.";
  }
  if (result.tokenCount === result.unknownCount) {
    return "Unknown input: no token is in the vocabulary.";
  }
  return result.answer < 0 ? "Refused: no label fits." : model.labels[result.answer];
}

async function openFile(file) {
  open(new Uint8Array(await file.arrayBuffer()), file.name);
}

for (const { name, description } of TERN_MODELS) {
  const option = make("option", "", `${name}: ${description}`);
  option.value = name;
  element("shipped").append(option);
}

function openShipped() {
  const { name, file, example } = TERN_MODELS.find((model) => model.name === element("shipped").value);
  element("input").value = example;
  open(decode(file), name);
}

element("shipped").addEventListener("change", openShipped);
element("file").addEventListener("change", (event) => event.target.files.length > 0 && openFile(event.target.files[0]));
element("input").addEventListener("input", classify);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files.length > 0) {
    openFile(event.dataTransfer.files[0]);
  }
});
element("wasm-bytes").textContent = library.length.toLocaleString("en");
openShipped();
