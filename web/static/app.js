// All but the use of passkeys is a convenience: without it every page works as well.

// Times are drawn in UTC, because the server does not know where people are. The
// reader's own time takes their place and says its zone; UTC stays behind it.
function localTimes(root) {
  const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  const day = { day: "numeric", month: "long", year: "numeric", ...hour };
  const lang = document.documentElement.lang, locale = lang === "en" ? "en-GB" : lang;
  for (const t of root.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (isNaN(at) || !t.dateTime.includes("T")) continue; // a day is the same for everybody
    t.title = t.textContent;
    t.textContent = at.toLocaleString(locale, "clock" in t.dataset ? hour : day);
  }
}

// The server says when another message may be asked for; the button counts down to it.
function countDown(button) {
  const until = performance.now() + button.dataset.wait * 1000, words = button.textContent;
  button.disabled = true;
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? button.dataset.waitText.replace("{seconds}", left) : words;
    if (left > 0) setTimeout(tick, 500);
  };
  tick();
}

// WebOTP: a text message that is bound to this site offers its code. The person
// presses the button; a code that sends itself could be a phisher's.
function fillFromMessage(field) {
  if (!("OTPCredential" in window)) return;
  const stop = new AbortController();
  field.form.addEventListener("submit", () => stop.abort());
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: stop.signal })
    .then((otp) => { field.value = otp.code; field.focus(); })
    .catch(() => {}); // aborted, refused or timed out: the person types
}

// What becomes of a message, or of a case that waits for others, is looked up
// again for a quarter of an hour. Looking changes nothing.
function watch() {
  const began = Date.now(), page = document.querySelector("[data-page]");
  let wait = 3000, last = asDrawn;
  const look = async () => {
    if (Date.now() - began > 15 * 60 * 1000) return;
    if (!document.hidden) {
      try {
        const answer = await fetch(location.pathname + location.search, { credentials: "same-origin", redirect: "error" });
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        const there = next.querySelector("[data-page]"), here = document.getElementById("live"), fresh = next.getElementById("live");
        if (answer.ok && there && (there.dataset.page !== page.dataset.page || !fresh)) return location.reload();
        if (answer.ok && here && fresh && fresh.innerHTML !== last) {
          last = fresh.innerHTML;
          localTimes(fresh);
          here.replaceChildren(...fresh.childNodes);
        }
      } catch { /* offline for a moment: the next look may do */ }
      wait = Math.min(wait * 1.2, 15000);
    }
    setTimeout(look, wait);
  };
  setTimeout(look, wait);
}

// A passkey answers through the browser alone. What it is asked stands in the page; what it says
// goes where the form goes.
const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const textOf = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function asked(form) {
  const ask = JSON.parse(form.dataset.ask ?? form.dataset.sign), options = ask.publicKey ?? ask;
  options.challenge = bytesOf(options.challenge);
  if (options.user) options.user.id = bytesOf(options.user.id);
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    options[list] = options[list]?.map((c) => ({ ...c, id: bytesOf(c.id) }));
  }
  return options;
}

function said(credential) {
  const from = credential.response, response = { clientDataJSON: textOf(from.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (from[name]) response[name] = textOf(from[name]);
  }
  if (from.getTransports) response.transports = from.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: textOf(credential.rawId), type: credential.type, response,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

function passkey(form) {
  const error = form.parentElement.querySelector("[data-ask-error]"), button = form.querySelector("button");
  const tell = (words) => { error.textContent = words; error.hidden = false; };
  if (!window.PublicKeyCredential) return tell(form.dataset.unable);
  form.hidden = false;
  const ask = async () => {
    if (button.disabled) return;
    button.disabled = true;
    error.hidden = true;
    offering.abort(); // a browser asks for one thing at a time
    try {
      const credential = await navigator.credentials[form.dataset.kind ?? "get"]({ publicKey: asked(form) });
      form.elements.response.value = said(credential);
      form.submit();
    } catch (e) {
      button.disabled = false;
      tell(e.name === "InvalidStateError" ? form.dataset.known ?? form.dataset.refused : e.name === "SecurityError" || e.name === "NotSupportedError" ? form.dataset.unable : form.dataset.refused);
    }
  };
  form.addEventListener("submit", (e) => { e.preventDefault(); ask(); });
  return ask;
}

// Where the browser can, it offers passkeys among what it fills into a field by itself. What they are asked is what the
// button asks; it is put in force once, and stands in the page from then on.
const offering = new AbortController();
async function offer() {
  if (!await window.PublicKeyCredential?.isConditionalMediationAvailable?.()) return;
  const asks = 'form[data-ask][data-kind="get"]', begin = document.querySelector("form[data-begin]");
  let form = document.querySelector(asks);
  if (!form && begin) {
    const answer = await fetch(begin.action, { method: "POST", body: new URLSearchParams(new FormData(begin)), credentials: "same-origin" });
    if (answer.ok) form = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(asks);
  }
  if (!form) return;
  const publicKey = asked(form);
  setTimeout(() => offering.abort(), publicKey.timeout); // then it is in force no more
  const credential = await navigator.credentials.get({ publicKey, mediation: "conditional", signal: offering.signal });
  form.elements.response.value = said(credential);
  if (form.ownerDocument !== document) document.body.append(form);
  form.submit();
}

// A decision is signed by a press of its button, and never by itself.
for (const form of document.querySelectorAll("form[data-sign]")) passkey(form);

// Who has just asked for something need not ask twice; who comes back to the page later does.
function startAsked() {
  const form = document.querySelector("form[data-ask]"), away = document.querySelector("a[data-away]");
  const start = form ? passkey(form) : away ? () => location.assign(away.href) : null;
  if (location.hash !== "#ask" || !start) return false;
  history.replaceState(null, "", location.pathname + location.search + "#work");
  start();
  return true;
}

// Kept before anything is put in its place: what the reader opens or what we rewrite is no news.
const asDrawn = document.getElementById("live")?.innerHTML;
localTimes(document);
for (const button of document.querySelectorAll("button[data-wait]")) countDown(button);
const otp = document.querySelector("input[data-otp]");
if (otp) fillFromMessage(otp);
if (!startAsked() && document.querySelector('input[autocomplete~="webauthn"]')) offer().catch(() => {}); // the button is there
document.querySelector("form[data-onward]")?.submit();
if (document.querySelector("[data-live]") && !/\/begin$/.test(location.pathname)) watch();
