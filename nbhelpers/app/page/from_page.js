"use strict";
// Answers of the page itself: the factors lie in it, so no server is asked. The fold-in is that of
// nbhelpers.models.als: one small system of equations for each list.
const engine = (() => {
  const data = JSON.parse(document.getElementById("stored").textContent);
  const { n_items: nItems, n_factors: d } = data;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  function halves(text) { // 16-bit floats
    const words = new Uint16Array(bytes(text).buffer);
    return Float64Array.from(words, (word) => {
      const sign = word & 0x8000 ? -1 : 1;
      const exponent = (word >> 10) & 31;
      const rest = word & 1023;
      if (exponent === 0) return sign * 2 ** -24 * rest;
      return sign * 2 ** (exponent - 15) * (1 + rest / 1024);
    });
  }

  const factors = halves(data.factors);
  const counts = new Uint32Array(bytes(data.counts).buffer);
  const served = bytes(data.served);
  const groups = new Map(data.groups.map(([name, text]) => [name, new Uint32Array(bytes(text).buffer)]));
  const row = (item) => factors.subarray(item * d, item * d + d);
  const dot = (a, b) => { let sum = 0; for (let k = 0; k < d; k++) sum += a[k] * b[k]; return sum; };
  const shared = new Float64Array(d * d); // unobserved weight times the products of all items
  for (let item = 0; item < nItems; item++) {
    const y = row(item);
    for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) shared[i * d + j] += y[i] * y[j];
  }
  for (let i = 0; i < d * d; i++) shared[i] *= data.unobserved_weight;

  function triangle(liked) { // Cholesky factor of a person's system
    const a = shared.slice();
    const damping = data.damping[liked.length];
    for (let i = 0; i < d; i++) a[i * d + i] += damping;
    for (const item of liked) {
      const y = row(item);
      for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) a[i * d + j] += data.square * y[i] * y[j];
    }
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = a[i * d + j];
        for (let k = 0; k < j; k++) sum -= a[i * d + k] * a[j * d + k];
        a[i * d + j] = i === j ? Math.sqrt(sum) : sum / a[j * d + j];
      }
    }
    return a;
  }

  function solve(low, right) {
    const x = Float64Array.from(right);
    for (let i = 0; i < d; i++) {
      for (let k = 0; k < i; k++) x[i] -= low[i * d + k] * x[k];
      x[i] /= low[i * d + i];
    }
    for (let i = d - 1; i >= 0; i--) {
      for (let k = i + 1; k < d; k++) x[i] -= low[k * d + i] * x[k];
      x[i] /= low[i * d + i];
    }
    return x;
  }

  function standard(values) {
    const mean = values.reduce((sum, value) => sum + value, 0) / nItems;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / nItems;
    return values.map((value) => (value - mean) / Math.max(Math.sqrt(square), 1e-12));
  }
  const known = standard(Float64Array.from(counts, (count) => Math.log1p(count)));

  function best(scores, allowed, k) {
    const order = [];
    for (let item = 0; item < nItems; item++) if (allowed(item)) order.push(item);
    return order.sort((a, b) => scores[b] - scores[a] || a - b).slice(0, k);
  }

  const card = (item) => ({
    item, item_id: data.ids[item], title: data.titles[item], year: data.years[item],
    genres: data.genres_of[item].map((number) => data.about.genres[number]),
  });

  function listFor({ liked, seen, strength, genres, group }) {
    if (liked.length >= data.damping.length) {
      throw new Error(`At most ${data.damping.length - 1} likes, got ${liked.length}.`);
    }
    const had = new Set([...liked, ...seen]);
    const model = data.about.models[0];
    const unknown = liked.filter((item) => !served[item]).map((item) => data.titles[item]);
    const telling = liked.filter((item) => served[item]);
    if (!telling.length) {
      const own = group ? groups.get(group) : counts;
      const most = counts.reduce((a, b) => Math.max(a, b), 0);
      const scores = Float64Array.from(own, (count, item) => count + counts[item] / (1 + most));
      const wanted = new Set(genres);
      const fits = (item) => !wanted.size || card(item).genres.some((name) => wanted.has(name));
      const items = best(scores, (item) => !had.has(item) && fits(item), 10)
        .map((item, place) => ({ ...card(item), rank: place + 1, score: own[item], because: [] }));
      return { basis: group || genres.length ? "group" : "popular", model, unknown, items };
    }
    const low = triangle(telling);
    const right = new Float64Array(d);
    for (const item of telling) row(item).forEach((value, k) => { right[k] += data.linear * value; });
    const person = solve(low, right);
    const scores = Float64Array.from({ length: nItems }, (_, item) => dot(person, row(item)));
    let ranked = scores;
    if (strength > 0) {
      const level = standard(scores);
      ranked = level.map((value, item) => value - strength * known[item]);
    }
    const items = best(ranked, (item) => served[item] && !had.has(item), 10).map((item, place) => {
      const toward = solve(low, row(item));
      const parts = telling.map((other) => [data.linear * dot(row(other), toward), other])
        .filter(([part]) => part > 0).sort((a, b) => b[0] - a[0]).slice(0, 2);
      const because = parts.map(([, other]) => data.titles[other]);
      return { ...card(item), rank: place + 1, score: scores[item], because };
    });
    return { basis: "likes", model, unknown, items };
  }

  const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "")
    .split(/\s+/).filter(Boolean).join(" ");
  const words = data.titles.map(plain);
  const famous = [...words.keys()].sort((a, b) => counts[b] - counts[a] || a - b);

  async function unpacked(text) {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  let posters = [];

  return {
    async describe() { posters = await unpacked(data.posters); return data.about; },
    async search(text) {
      const wanted = plain(text);
      if (!wanted) return [];
      const found = famous.filter((item) => words[item].includes(wanted));
      const first = found.filter((item) => words[item].startsWith(wanted));
      const later = found.filter((item) => !words[item].startsWith(wanted));
      return [...first, ...later].slice(0, 8).map(card);
    },
    async list(question) { return listFor(question); },
    async similar(item) {
      const own = row(item);
      const size = Math.sqrt(dot(own, own));
      const scores = Float64Array.from({ length: nItems }, (_, other) =>
        dot(own, row(other)) / Math.max(size * Math.sqrt(dot(row(other), row(other))), 1e-12));
      const enough = (other) => other !== item && counts[other] >= data.least_support && size > 0;
      return { model: data.about.models[0], of: card(item), items: best(scores, enough, 10).map(card) };
    },
    async history() { throw new Error("This page holds no people's histories."); },
    poster: (item) => `data:image/svg+xml;charset=utf-8,${encodeURIComponent(posters[item.item])}`,
  };
})();
