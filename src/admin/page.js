"use strict";
// Shows what /events tells once a second. Rates are of the last two tellings.
const $ = (id) => document.getElementById(id);
let last = null, rates = null, held = false, events = null;

// --- What is told ---

// Lines of /metrics: by name, the labels and the value of each series.
function read(text) {
  const all = new Map();
  for (const line of text.split("\n")) {
    const parts = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!parts) continue;
    const labels = {};
    for (const [, name, value] of (parts[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[name] = value.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : char));
    const series = all.get(parts[1]) || [];
    series.push({ labels, value: Number(parts[3]) });
    all.set(parts[1], series);
  }
  return all;
}

const fits = (labels, wanted) => Object.entries(wanted).every(([name, value]) => labels[name] === value);
// The sum of the series with these labels.
const sum = (told, name, wanted = {}) =>
  (told.metrics.get(name) || []).reduce((all, { labels, value }) => all + (fits(labels, wanted) ? value : 0), 0);
const one = (told, name, wanted = {}) =>
  (told.metrics.get(name) || []).find(({ labels }) => fits(labels, wanted))?.value;
// Of a counter, per second; none before there are two tellings.
function rate(told, name, wanted = {}) {
  if (!rates) return undefined;
  const seconds = (told.at_ms - rates.at_ms) / 1000;
  return seconds > 0 ? Math.max(0, sum(told, name, wanted) - sum(rates, name, wanted)) / seconds : undefined;
}
// The different values of some labels under some metrics.
function keys(told, names, labels) {
  const found = new Map();
  for (const name of names)
    for (const series of told.metrics.get(name) || []) {
      const key = Object.fromEntries(labels.map((label) => [label, series.labels[label]]));
      found.set(JSON.stringify(key), key);
    }
  return [...found.values()];
}
const named = (key) => Object.values(key).filter((part) => part !== undefined).join(" / ");

// --- As people read it ---

function count(value) {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (value >= 1e6) return (value / 1e6).toFixed(1) + " M";
  if (value >= 1e4) return (value / 1e3).toFixed(1) + " k";
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}
const per = (value) => count(value) + "/s";
function bytes(value) {
  if (value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; value >= 1024 && unit < 3; unit++) value /= 1024;
  return value.toFixed(unit && value < 100 ? 1 : 0) + " " + units[unit];
}
function span(seconds) {
  if (seconds === undefined) return "–";
  if (seconds < 0) return span(-seconds) + " ago";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 120) return Math.round(seconds) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " days";
}
const share = (part, of) => (of > 0 ? ((100 * part) / of).toFixed(1) + " %" : "–");

// --- Onto the page: only what has changed is touched, so that a reader of the screen is left in peace ---

const put = (element, text) => { if (element.textContent !== String(text)) element.textContent = text; };
const dress = (element, name) => { if (element.className !== name) element.className = name; };
function fill(parent, many, make) {
  while (parent.children.length > many) parent.lastElementChild.remove();
  while (parent.children.length < many) parent.append(make());
  return [...parent.children];
}
const element = (name) => () => document.createElement(name);
// Rows are lists of texts, or of [text, class].
function table(id, heads, rows, empty) {
  const place = $(id);
  if (!place.tHead) {
    place.createTHead().insertRow();
    for (const head of heads) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = head;
      place.tHead.rows[0].append(cell);
    }
    place.createTBody();
  }
  const shown = rows.length ? rows : [[[empty, "empty"]]];
  fill(place.tBodies[0], shown.length, element("tr")).forEach((row, at) => {
    fill(row, shown[at].length, element("td")).forEach((cell, nth) => {
      const [text, name] = [shown[at][nth]].flat();
      put(cell, text);
      dress(cell, name || "");
      cell.colSpan = rows.length ? 1 : heads.length;
    });
  });
}
// Items are [text, class, time].
function list(id, items) {
  fill($(id), items.length, element("li")).forEach((item, at) => {
    const [text, name, time] = items[at];
    put(item, (time ? new Date(time).toLocaleTimeString() + "  " : "") + text);
    dress(item, name || "");
  });
}

// --- The parts of the page ---

// What takes facts from records as long as it lasts, and keeps no process from being ready.
function lacks(told) {
  const now = (name, value) => (told.metrics.get(name) || []).filter((series) => series.value === value)
    .map(({ labels }) => "provider " + named({ provider: labels.provider, tenant: labels.tenant }));
  const spent = keys(told, ["ipstamp_budget_limit_units"], ["licence", "period", "tenant"])
    .filter((key) => sum(told, "ipstamp_budget_used_units", key) >= sum(told, "ipstamp_budget_limit_units", key))
    .map((key) => "licence " + named({ licence: key.licence, tenant: key.tenant }) + ": the budget of this " + key.period);
  const breaker = "ipstamp_provider_breaker_state";
  return [
    ...now(breaker, 2).map((who) => who + " fails: records go out without its answers; it is probed until it answers again"),
    ...now(breaker, 1).map((who) => who + " has failed, and is being probed: most records go out without its answers"),
    ...now("ipstamp_provider_refused", 1).map((who) => who + " refuses the token: records go out without its answers until it is another one"),
    ...spent.map((whose) => whose + " is spent: records go out without what it would buy until the next one begins"),
  ].map((text) => [text, "warn"]);
}

function state(told) {
  const stopping = told.checks.some((check) => check.name === "running" && check.problem);
  const [text, name] = !told.is_live ? ["a worker hangs", "bad"]
    : stopping ? ["ending", "warn"]
    : told.is_ready ? ["ready", "good"]
    : [told.has_started ? "not ready" : "starting", told.has_started ? "bad" : "warn"];
  put($("state"), text);
  dress($("state"), "pill " + name);
  put($("version"), told.version);
  document.title = "ipstamp: " + text;
  const wrong = told.checks.filter((check) => check.problem);
  const items = wrong.map((check) => [check.name + ": " + check.problem, check.passes ? "warn" : "bad"]).concat(lacks(told));
  $("checks-section").hidden = !items.length;
  list("checks", items);
}

function stations(told) {
  const lag = sum(told, "ipstamp_consumer_lag_records"), waiting = sum(told, "ipstamp_records_waiting");
  const unacknowledged = sum(told, "ipstamp_records_in_flight") - waiting;
  const outcome = (name) => per(rate(told, "ipstamp_records_total", { outcome: name })) + " " + name.replace("_", "-");
  const unread = lag - waiting - unacknowledged;
  const asked = rate(told, "ipstamp_database_lookups_total");
  const full = sum(told, "ipstamp_window_used_ratio");
  const hits = rate(told, "ipstamp_cache_lookups_total", { result: "hit" });
  const paused = sum(told, "ipstamp_paused_partitions");
  const all = [
    ["Consume", per(rate(told, "ipstamp_records_consumed_total")), [
      "records read",
      per(rate(told, "ipstamp_bytes_consumed_total")).replace("/s", " bytes/s"),
      sum(told, "ipstamp_assigned_partitions") + " partitions" + (paused ? ", " + paused + " paused" : ""),
    ], unread > 0 ? count(unread) + " to be read" : ""],
    ["Extract", per(rate(told, "ipstamp_sightings_total")), [
      "addresses found",
      per(rate(told, "ipstamp_values_unreadable_total")) + " no address",
      per(rate(told, "ipstamp_addresses_left_out_total")) + " beyond the limit",
    ], ""],
    ["Resolve", per(asked), [
      "questions to databases",
      per(hits) + " from the cache",
      per(rate(told, "ipstamp_provider_addresses_total")) + " of providers",
    ], waiting > 0 ? count(waiting) + " wait for answers" : ""],
    ["Encode", per(rate(told, "ipstamp_records_total", { outcome: "enriched" })), [
      "enriched", outcome("partial"), outcome("unchanged"),
    ], ""],
    ["Publish", per(rate(told, "ipstamp_bytes_published_total")), [
      "bytes",
      outcome("dead_lettered"),
      per(rate(told, "ipstamp_records_sent_again_total")) + " sent again",
    ], unacknowledged > 0 ? count(unacknowledged) + " not acknowledged" : ""],
    ["Commit", per(rate(told, "ipstamp_commits_total", { result: "ok" })), [
      "commits",
      "oldest " + span(sum(told, "ipstamp_oldest_in_flight_seconds")),
      "window " + share(full, 1),
    ], ""],
  ];
  const make = () => {
    const item = document.createElement("li");
    item.append(...["h3", "p", "p", "p", "p", "p"].map((name) => document.createElement(name)));
    return item;
  };
  fill($("stations"), all.length, make).forEach((item, at) => {
    const [name, first, more, waits] = all[at];
    [at + 1 + " " + name, first, ...more, waits].forEach((text, nth) => put(item.children[nth], text));
    dress(item.children[1], "rate");
    dress(item.children[5], "waits");
  });
}

function partitions(told) {
  const most = 100;
  const series = [...(told.metrics.get("ipstamp_consumer_lag_records") || [])];
  series.sort((one, other) => other.value - one.value);
  const rows = series.slice(0, most).map(({ labels, value }) => [
    labels.topic, labels.partition, count(value), span(one(told, "ipstamp_consumer_lag_seconds", labels)),
  ]);
  if (series.length > most) rows.push(["and " + (series.length - most) + " more, less behind", "", "", ""]);
  table("lag", ["Topic", "Partition", "Records behind", "Time behind"], rows, "This process reads no partition now.");
}

function sources(told) {
  const row = (name, metric, wanted) => {
    const of = (result) => sum(told, metric, { ...wanted, result });
    const asked = sum(told, metric, wanted);
    return [name, per(rate(told, metric, wanted)), count(asked), share(of("hit"), asked), share(of("unknown"), asked), share(of("stale"), asked)];
  };
  const rows = keys(told, ["ipstamp_database_lookups_total"], ["database", "tenant"]).map((key) =>
    row("database " + named(key), "ipstamp_database_lookups_total", key));
  const cache = "ipstamp_cache_lookups_total", said = "ipstamp_provider_answers_total";
  if (told.metrics.has(cache))
    rows.push(row("cache (" + count(sum(told, "ipstamp_cache_entries")) + " addresses, " + bytes(sum(told, "ipstamp_cache_bytes")) + ")", cache, {}));
  for (const key of keys(told, [said], ["provider", "tenant"])) rows.push(row("provider " + named(key), said, key));
  table("sources", ["Source", "Asked", "Since the start", "Hits", "Known to be unknown", "Stale"], rows, "Nothing has been asked yet.");
}

function providers(told) {
  const names = ["ipstamp_provider_addresses_total", "ipstamp_provider_requests_total", "ipstamp_provider_breaker_state", "ipstamp_provider_refused"];
  const rows = keys(told, names, ["provider", "tenant"]).map((key) => {
    const requests = sum(told, "ipstamp_provider_requests_total", key);
    const failed = requests - sum(told, "ipstamp_provider_requests_total", { ...key, code: "200" });
    const mean = (name) => sum(told, name + "_sum", key) / sum(told, name + "_count", key);
    const took = mean("ipstamp_provider_request_duration_seconds");
    const refused = sum(told, "ipstamp_provider_refused", key);
    const breaker = ["closed", "half open", "open"][sum(told, "ipstamp_provider_breaker_state", key)];
    return [
      named(key),
      refused ? ["token refused", "bad"] : [breaker, breaker === "closed" ? "good" : "bad"],
      per(rate(told, "ipstamp_provider_requests_total", key)),
      per(rate(told, "ipstamp_provider_addresses_total", key)),
      Number.isNaN(took) ? "–" : span(took),
      [share(failed, requests), failed ? "warn" : ""],
      count(one(told, "ipstamp_provider_quota_remaining", key)),
    ];
  });
  table("providers", ["Provider", "Breaker", "Requests", "Addresses", "A request takes", "Not 200", "Left by its own count"], rows, "No provider has been asked.");
}

function budgets(told) {
  const rows = keys(told, ["ipstamp_budget_limit_units"], ["licence", "period", "tenant"]).map((key) => {
    const used = sum(told, "ipstamp_budget_used_units", key), limit = sum(told, "ipstamp_budget_limit_units", key);
    const gone = sum(told, "ipstamp_budget_gone_timestamp_seconds", key);
    const level = used >= limit ? "bad" : used >= 0.8 * limit ? "warn" : "good";
    return [
      named({ licence: key.licence, tenant: key.tenant }), key.period, count(used) + " of " + count(limit), [share(used, limit), level],
      used >= limit ? ["gone", "bad"] : gone ? ["gone in " + span(gone - told.at_ms / 1000), "warn"] : "lasts",
    ];
  });
  if (sum(told, "ipstamp_ledger_unavailable")) rows.push([["The ledger cannot be used: nothing is bought with these.", "bad"], "", "", "", ""]);
  table("budgets", ["Licence", "Period", "Spent", "Of all", "At this pace"], rows, "No licence has a limit.");
}

function databases(told) {
  const rows = keys(told, ["ipstamp_database_build_timestamp_seconds"], ["database", "tenant"]).map((key) => {
    const ends = one(told, "ipstamp_database_expires_timestamp_seconds", key);
    const left = ends === undefined ? undefined : ends - told.at_ms / 1000;
    const refused = (told.metrics.get("ipstamp_database_refusals_total") || []).filter(({ labels, value }) => fits(labels, key) && value > 0);
    const generation = (told.metrics.get("ipstamp_database_generation") || []).find(({ labels, value }) => fits(labels, key) && value > 0);
    return [
      named(key), span(one(told, "ipstamp_database_age_seconds", key)),
      left === undefined ? "–" : left < 0 ? ["stale", "bad"] : "in " + span(left),
      generation?.labels.generation ?? "–",
      count(sum(told, "ipstamp_database_swaps_total", key)),
      refused.length ? [refused.map(({ labels, value }) => labels.reason + " × " + value).join(", "), "warn"] : "none",
    ];
  });
  table("databases", ["Database", "Built", "Stale", "Generation", "Swaps", "Refused files"], rows, "No database is in force.");
  list("notes", told.notes.map(([about, text]) => [about + ": " + text]));
}

function troubles(told) {
  const items = told.troubles.map(({ text, is_error, times, at_ms }) =>
    [text + (times > 1 ? " (" + times + " times)" : ""), is_error ? "bad" : "warn", at_ms]);
  list("troubles", items.length ? items : [["none since the start"]]);
}

function show(told) {
  state(told);
  for (const part of [stations, partitions, sources, providers, budgets, databases, troubles]) part(told);
  $("try").hidden = told.access === "closed";
  $("try-closed").hidden = told.access !== "closed";
  $("token-row").hidden = told.access !== "token";
}

// --- Being told ---

function watch() {
  events = new EventSource("events");
  events.onmessage = (event) => {
    const told = JSON.parse(event.data);
    told.metrics = read(told.metrics);
    [rates, last] = [last, told];
    if (!held) show(told);
  };
  events.onerror = () => {
    rates = last = null;
    put($("state"), "no connection");
    dress($("state"), "pill bad");
    // Who was refused is not connected again by the browser.
    if (events.readyState === EventSource.CLOSED) setTimeout(watch, 3000);
  };
}

$("pause").addEventListener("click", () => {
  held = !held;
  $("pause").setAttribute("aria-pressed", held);
  put($("pause"), held ? "Go on" : "Pause");
  if (!held && last) show(last);
});

// --- Trying ---

function part(title, text) {
  const head = document.createElement("h3"), body = document.createElement("pre");
  head.textContent = title;
  body.textContent = text;
  return [head, body];
}

function inWords({ explained: told, written }) {
  const found = told.parts.flatMap((one) => [
    "preset " + one.preset,
    ...one.found.map((it) => "  " + it.ip + "  " + it.scope + "  " + it.role + "  at " + it.path),
    ...one.passed_over.map((it) => "  not taken: " + it.text + " at " + it.path + ": " + it.reason),
    ...(one.found.length ? [] : ["  nothing was found"]),
  ]);
  const price = (tier) => (tier.cost === undefined ? "" : ", costs " + tier.cost + " " + (tier.unit || "units") + " at most" +
    (tier.price ? " (" + (tier.price.amount === undefined ? JSON.stringify(tier.price) : tier.price.amount + " " + tier.price.currency) + ")" : ""));
  const says = (tier) => {
    const parts = [["answers", tier.answers], ["has part of", tier.partly], ["closes", tier.closes], ["would be asked for", tier.asks], ["then for", tier.then]];
    const said = parts.filter(([, groups]) => groups?.length).map(([word, groups]) => word + " " + groups.join(", "));
    return (said.join("; ") || (tier.reason ? "not asked: " + tier.reason.replaceAll("_", " ") : "says nothing of what is missing")) + price(tier);
  };
  const answers = told.addresses.flatMap((one) => [
    one.ip + "  " + one.scope,
    ...one.tiers.map((tier) => "  " + tier.kind + " " + tier.source + (tier.built ? " (" + tier.built + ")" : "") + ": " + says(tier)),
    ...(one.missing.length ? ["  missing: " + one.missing.join(", ")] : []),
  ]);
  const outcome = told.outcome + (told.reason ? " (" + told.reason + ")" : "");
  return [
    ...part("Sightings", found.join("\n")),
    ...part("Answers", answers.join("\n") || "no address"),
    ...part("Output: " + outcome, written),
  ];
}

$("try").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const headers = { "Content-Type": "application/json" };
  if ($("token").value) headers.Authorization = "Bearer " + $("token").value;
  const body = { event: $("event").value };
  if ($("profile").value) body.profile = $("profile").value;
  try {
    const answer = await fetch("try", { method: "POST", headers, body: JSON.stringify(body) });
    const text = await answer.text();
    $("tried").replaceChildren(...(answer.ok ? inWords(JSON.parse(text)) : part("Not tried", text)));
  } catch (error) {
    $("tried").replaceChildren(...part("Not tried", "no connection"));
  }
});

watch();
