// Questions to the server: JSON, and streams of it. Where the server asks for a key, so does the page.

import { said } from "./words.js";

const STORED = "elman-key";
let key = sessionStorage.getItem(STORED) || "";
let asking = null;

/** The answer to a question; a body makes it a POST. Throws an Error with the server's sentence. */
export async function ask(path, body, signal) {
  return (await answered(path, body, signal)).json();
}

/** The parts of a stream of server-sent events. */
export async function* stream(path, body, signal) {
  const answer = await answered(path, body, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.slice("data: ".length);
      if (data === "[DONE]") return;
      const part = JSON.parse(data);
      if (part.error) throw new Error(part.error.message);
      yield part;
    }
  }
}

async function answered(path, body, signal) {
  for (;;) {
    const sent = key;
    const headers = sent ? { Authorization: `Bearer ${sent}` } : {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const method = body === undefined ? "GET" : "POST";
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: JSON.stringify(body), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error(said("the server does not answer; is it still running?"));
    }
    if (answer.status === 401) {
      if (sent === key) await (asking ||= askForKey(sent !== ""));
      continue;
    }
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => null);
    throw new Error(problem?.error?.message || said("the server answered with status {status}", { status: answer.status }));
  }
}

function askForKey(wrong) {
  const dialog = document.getElementById("ask"), field = document.getElementById("key");
  if (wrong) document.getElementById("ask-why").textContent = said("That key is not the server's. Try another one.");
  field.value = "";
  dialog.showModal();
  return new Promise(resolve => {
    dialog.oncancel = event => event.preventDefault();
    document.getElementById("key-form").onsubmit = event => {
      event.preventDefault();
      key = field.value.trim();
      sessionStorage.setItem(STORED, key);
      dialog.close();
      asking = null;
      resolve();
    };
  });
}
