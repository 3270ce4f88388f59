// The mailbox in the browser: shows the card, presses its buttons through the server, keeps the list up to date.

import { hostConfig } from "./host-config.js";
import { toHtml } from "./markdown.js";

const LIST_EVERY = 3000;
const panes = document.querySelector(".panes");
const place = document.getElementById("card");
const status = document.getElementById("status");
const { address, mail: mailId } = panes.dataset;

if (window.AdaptiveCards) {
  // Outlook's own kind of button; the renderer knows it, but shows it only to hosts that ask for it.
  AdaptiveCards.GlobalRegistry.actions.register(AdaptiveCards.HttpAction.JsonTypeName, AdaptiveCards.HttpAction);
  AdaptiveCards.AdaptiveCard.onProcessMarkdown = (text, result) => {
    result.outputHtml = toHtml(text);
    result.didProcess = true;
  };
}
showTimes(document);
setInterval(refreshList, LIST_EVERY);
if (mailId) {
  fitBody(document.getElementById("body"));
  openMail();
}

async function openMail() {
  const source = document.getElementById("card-source");
  if (source) showCard(JSON.parse(source.textContent));
  const opened = await post("/api/open", { address, mailId });
  if (opened.refresh?.cardUpdated) showCard(opened.card, opened.hideOriginalBody);
  refreshList();
}

function showCard(card, hideOriginalBody) {
  if (!place || !window.AdaptiveCards) return;
  const rendered = new AdaptiveCards.AdaptiveCard();
  rendered.hostConfig = new AdaptiveCards.HostConfig(hostConfig);
  rendered.onExecuteAction = (action) => execute(action, rendered);
  rendered.parse(card);
  place.replaceChildren(rendered.render() ?? "");
  place.dataset.state = "ready";
  if (hideOriginalBody !== undefined) document.getElementById("body").hidden = hideOriginalBody;
}

async function execute(action, rendered) {
  if (action instanceof AdaptiveCards.OpenUrlAction) {
    if (/^https?:/i.test(action.url)) window.open(action.url, "_blank", "noopener");
    return;
  }
  const index = Number(/^press-(\d+)$/.exec(action.id ?? "")?.[1] ?? NaN);
  if (Number.isNaN(index)) return;
  const inputs = Object.fromEntries(rendered.getAllInputs().map((input) => [input.id, input.value ?? ""]));
  place.dataset.state = "busy";
  say("wait", "Working on it…");
  try {
    const outcome = await post("/api/press", { address, mailId, action: index, inputs });
    say(outcome.succeeded ? "good" : "bad", outcome.error ?? outcome.message);
    if (outcome.cardUpdated) showCard(outcome.card, outcome.hideOriginalBody);
  } catch {
    say("bad", "The mailbox server does not answer.");
  }
  place.dataset.state = "ready";
}

function say(kind, text) {
  status.hidden = false;
  status.dataset.kind = kind;
  status.textContent = text;
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}

async function refreshList() {
  const list = document.getElementById("messages");
  if (list.contains(document.activeElement)) return; // somebody is moving through it with the keyboard
  try {
    const query = mailId ? `?mail=${encodeURIComponent(mailId)}` : "";
    const answer = await fetch(`/${encodeURIComponent(address)}/messages${query}`);
    if (!answer.ok) return;
    list.innerHTML = await answer.text(); // made by our own template, which escapes
    showTimes(list);
  } catch {
    // The server is away: the list stays as it is until it is back.
  }
}

function showTimes(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time")) {
    const instant = new Date(time.dateTime);
    const clock = { hour: "2-digit", minute: "2-digit" };
    const day = { day: "numeric", month: "short" };
    const short = instant.toDateString() === today ? clock : day;
    const inList = time.closest(".message") !== null;
    time.textContent = new Intl.DateTimeFormat(undefined, inList ? short : { ...day, ...clock }).format(instant);
  }
}

function fitBody(frame) {
  const fit = () => {
    const root = frame.contentDocument?.documentElement;
    if (!root || frame.hidden) return;
    frame.style.height = "0"; // else it could only grow
    frame.style.height = `${root.scrollHeight}px`;
  };
  frame.addEventListener("load", () => {
    frame.contentDocument.documentElement.style.font = getComputedStyle(document.body).font; // for mails that set none
    for (const link of frame.contentDocument.links) link.target = "_blank"; // a link leaves the frame, not the mailbox
    fit();
  });
  addEventListener("resize", fit);
  new MutationObserver(fit).observe(frame, { attributeFilter: ["hidden"] });
}
