// Continuations of the text, streamed from the completions API: one for each model that is shown.

import { stream } from "./server.js";
import { element } from "./tokens.js";
import { said } from "./words.js";

const get = id => document.getElementById(id);

/** Starts the form. state(): the models, the text before the cursor; onTake(text): a continuation becomes the text. */
export function startSampling(state, onTake, report) {
  let control = null;

  async function draw(model, prompt, settings, output) {
    for await (const part of stream("/v1/completions", { model: model.id, prompt, stream: true, ...settings }, control.signal)) {
      for (const choice of part.choices) {
        // at level word a text begins with the space before it, which the prompt may have already
        const begun = output.childNodes.length > 1 || !/\s$/.test(prompt) || model.level !== "word";
        output.append(begun ? choice.text : choice.text.replace(/^ /, ""));
      }
      output.scrollTop = output.scrollHeight;
    }
  }

  get("sample").addEventListener("submit", async event => {
    event.preventDefault();
    control?.abort();
    const own = control = new AbortController(), { models, before } = state();
    const settings = { temperature: get("temperature").valueAsNumber, max_tokens: get("count").valueAsNumber };
    if (get("seed").value !== "") settings.seed = get("seed").valueAsNumber;
    report(null);
    get("stop").disabled = false;
    get("drawing").textContent = said("Drawing …");
    const last = before.slice(-160);
    const outputs = models.map(model => {
      const output = element("div", { class: "output", dir: "auto" },
        element("span", { class: "prompt" }, (last.length < before.length ? "…" : "") + last));
      const take = element("button", { type: "button" }, said("Put it into the text"));
      take.addEventListener("click", () => onTake(before + output.textContent.slice(output.firstChild.textContent.length)));
      return { model, output, node: element("section", { "aria-label": said("Continuation by {model}", { model: model.id }) },
        ...(models.length > 1 ? [element("h3", {}, model.id)] : []), output, take) };
    });
    get("drawn").replaceChildren(...outputs.map(each => each.node));
    const began = await Promise.allSettled(outputs.map(({ model, output }) => draw(model, before, settings, output)));
    if (control !== own) return;
    get("stop").disabled = true;
    const failed = began.find(each => each.status === "rejected" && each.reason.name !== "AbortError");
    get("drawing").textContent = own.signal.aborted ? said("Stopped.") : failed ? "" : said("Done.");
    if (failed) report(failed.reason);
  });

  get("stop").addEventListener("click", () => control?.abort());
}
