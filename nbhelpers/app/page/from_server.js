"use strict";
// Answers of the server that sent this page.
const engine = (() => {
  const patience = 20_000; // milliseconds
  async function ask(path, body) {
    const options = body === undefined ? {} : {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    };
    const limit = AbortSignal.timeout(patience);
    const answer = await fetch(path, { ...options, signal: limit }).catch(() => {
      throw new Error("The server does not answer: is it still running? What you see is from before.");
    });
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(content.error ?? "The server could not answer: see where it runs.");
    return content;
  }
  return {
    describe: () => ask("api/describe"),
    search: (text) => ask(`api/search?text=${encodeURIComponent(text)}`),
    list: (question) => ask("api/list", question),
    similar: (item, model) => ask("api/similar", { item, model }),
    history: (person) => ask("api/history", { person }),
    poster: (item) => `api/poster/${item.item}.svg`,
  };
})();
