// The page: its tabs, and what they have in common.

import { ask } from "./server.js";
import { startReading } from "./reading.js";

const problem = document.getElementById("problem");

/** Shows a sentence about what went wrong, or nothing for null. */
export function report(error) {
  problem.hidden = !error;
  problem.textContent = error ? error.message : "";
}

try {
  const about = await ask("/page/about");
  if (about.models.length) startReading(about.models, report);
} catch (error) {
  report(error);
}
