// Signing in with a link (`/login.html#TOKEN`) or at an identity provider (which leads back here with `?problem=` if it came to
// nothing), who is signed in, signing out. The token leaves the address at once, before anything is sent, so that it stays neither
// in view nor in the history.

import { fill, h, setAttr } from "../dom.js";
import { dateTime } from "../format.js";
import { LANGUAGES, language, onLanguage, setLanguage, t, translateTree, useStrings } from "../i18n.js";
import { icon } from "../icons.js";
import { sees } from "../sees.js";
import { tellSignedOut } from "../signedout.js";
import strings from "./strings.js";

const PATIENCE_MS = 10_000;
const AGAIN_MS = 5000; // whether somebody has signed in meanwhile, in another tab say
const REASONS = ["expired", "revoked", "unknown_user", "invalid", "provider_away"];
const PROVIDER_REASONS = ["state", "declined", "provider", "token", "no_access", "revoked", "invalid"];

useStrings(strings);
translateTree(document);
const card = document.getElementById("card");
const forWall = /^\/hall\b/.test(new URL(destination(), location.origin).pathname); // read from ten metres
let show = busy; // what the card shows now, drawn anew when the language changes
let ways = { links: true, provider: null }; // how one signs in here
let failed = new URLSearchParams(location.search).get("problem"); // why the provider's word did not do
let leftProvider = false; // signed out here a moment ago, and not there

function draw(next) {
  show = next;
  show();
}

/** JSON from the service; {problem: one of the texts, detail} when it refuses or is away. */
async function ask(method, path, body) {
  const request = { method, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body) Object.assign(request, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  try {
    const response = await fetch(path, request);
    const answer = response.status === 204 ? {} : await response.json();
    if (response.ok) return answer;
    if (response.status === 422) return { problem: "invalid" };
    return { problem: answer.reason ?? "other", detail: answer.detail ?? answer.title };
  } catch {
    return { problem: "unreachable" };
  }
}

/** Where they wanted to go: a place on this service, never elsewhere. */
function destination() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const wanted = URL.canParse(next, location.origin) ? new URL(next, location.origin) : new URL(location.origin);
  const elsewhere = wanted.origin !== location.origin || wanted.pathname.startsWith("//"); // which alone is another host
  return elsewhere || wanted.pathname === location.pathname ? "/" : wanted.pathname + wanted.search + wanted.hash;
}

function takeToken() {
  const token = location.hash.slice(1); // letters that need no escape; what has others is no token
  history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** How one signs in here; where that cannot be told, by a link as ever. */
async function learnWays() {
  const answer = await ask("GET", "/api/v1/session");
  if (!answer.problem) ways = answer;
}

async function begin() {
  const token = location.hash.length > 1 ? takeToken() : "";
  await learnWays();
  if (token) await signIn(token);
  else await look();
}

async function signIn(token) {
  draw(busy);
  const answer = await ask("POST", "/api/v1/session", { token });
  if (!answer.problem) location.replace(destination());
  else draw(() => refused(answer, answer.problem === "unreachable" ? () => signIn(token) : null));
}

async function look() {
  const answer = await ask("GET", "/api/v1/me");
  if (answer.problem === "missing") draw(needed);
  else if (answer.problem) draw(() => refused(answer, answer.problem === "unreachable" ? look : null));
  else draw(() => (answer.mode === "local" ? local() : signedIn(answer)));
}

async function signOut() {
  const answer = await ask("DELETE", "/api/v1/session");
  if (answer.problem) {
    draw(() => refused(answer, signOut));
    return;
  }
  tellSignedOut();
  failed = null;
  leftProvider = Boolean(ways.provider?.sign_out);
  draw(needed);
}

/** Go on where they wanted to go once this browser is signed in, by another tab or on a screen that nobody touches. */
async function wait() {
  if (show !== needed || !new URLSearchParams(location.search).has("next")) return;
  const answer = await ask("GET", "/api/v1/me");
  if (show === needed && !answer.problem) location.replace(destination());
}

function busy() {
  fill(card, h("p", { role: "status" }, t("login.busy")));
}

function needed() {
  if (forWall) fill(card, h("h1", {}, t("login.wall")), h("p", {}, t("login.wall.what")), h("code", {}, "floorwatch login-link hall --hours 8760"));
  else fill(card, h("h1", {}, t("login.needed")), failure(), h("p", {}, t("login.needed.what")), provider(), ways.links ? byLink() : null);
}

/** Why somebody who was at the provider is not signed in. */
function failure() {
  if (!failed || !ways.provider) return null;
  const label = ways.provider.label;
  const text = t(`login.provider.${PROVIDER_REASONS.includes(failed) ? failed : "other"}`, { label });
  return h("p", { class: "notice", role: "alert", data: { tone: "critical" } }, icon("critical"), h("span", {}, text));
}

function provider() {
  if (!ways.provider) return null;
  const { label, begin: path, sign_out: out } = ways.provider;
  const href = `${path}?${new URLSearchParams({ next: destination() })}`;
  const there = h("div", { class: "row" }, h("a", { class: "button primary", href }, t("login.provider.go", { label })));
  if (!leftProvider) return there;
  return [there, h("p", {}, t("login.provider.still", { label }), " ", h("a", { href: out }, t("login.provider.out")))];
}

function byLink() {
  return ways.provider ? h("details", {}, h("summary", {}, t("login.with_link")), steps()) : steps();
}

function steps() {
  return h(
    "ol",
    {},
    h("li", {}, t("login.step.ask"), " ", h("code", {}, "floorwatch login-link USER")),
    h("li", {}, t("login.step.open")),
    h("li", {}, t("login.step.safe")),
  );
}

function local() {
  fill(card, h("h1", {}, t("login.local")), h("p", {}, t("login.local.what")), h("div", { class: "row" }, go()));
}

function refused({ problem, detail }, again) {
  const known = REASONS.includes(problem) || problem === "unreachable";
  const text = known ? t(`login.problem.${problem}`) : t("login.problem.other", { detail: detail ?? "" });
  const notice = h("p", { class: "notice", role: "alert", data: { tone: "critical" } }, icon("critical"), h("span", {}, text));
  const retry = again && h("div", { class: "row" }, h("button", { class: "button", type: "button", on: { click: again } }, t("login.again")));
  fill(card, h("h1", {}, t("login.needed")), notice, retry, again ? null : [provider(), ways.links ? byLink() : null]);
}

function signedIn(me) {
  fill(
    card,
    h("h1", {}, t("login.as")),
    h(
      "div",
      { class: "login-who" },
      h("div", { class: "login-name" }, me.name),
      h("p", {}, me.roles.map((role) => t(`role.${role}`)).join(" · ")),
      h("p", {}, t("login.sees", { what: sees(me.scope) || t("login.sees.all") })),
      me.expires && h("p", {}, t("login.until", { time: dateTime(me.expires) })),
    ),
    h(
      "div",
      { class: "row" },
      go(),
      h("button", { class: "button", type: "button", on: { click: signOut } }, t("login.out")),
    ),
  );
}

function go() {
  return h("a", { class: "button primary", href: destination() }, t("login.go"));
}

function languages() {
  const buttons = Object.entries(LANGUAGES).map(([code, name]) =>
    h("button", { type: "button", lang: code, on: { click: () => setLanguage(code) } }, name),
  );
  const press = () => buttons.forEach((one) => setAttr(one, "aria-pressed", String(one.lang === language())));
  fill(document.getElementById("languages"), buttons);
  press();
  onLanguage(press);
}

languages();
onLanguage(() => show());
window.addEventListener("hashchange", begin);
document.body.classList.toggle("wall", forWall);
setInterval(wait, AGAIN_MS);
begin();
