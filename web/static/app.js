// Everything here is a convenience: without it every page works as well.

// Times are drawn in UTC, because the server does not know where people are. The
// reader's own time takes their place and says its zone; UTC stays behind it.
function localTimes(root) {
  const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  const day = { day: "numeric", month: "long", year: "numeric", ...hour };
  const lang = document.documentElement.lang, locale = lang === "en" ? "en-GB" : lang;
  for (const t of root.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
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

// Kept before anything is put in its place: what the reader opens or what we rewrite is no news.
const asDrawn = document.getElementById("live")?.innerHTML;
localTimes(document);
for (const button of document.querySelectorAll("button[data-wait]")) countDown(button);
const otp = document.querySelector("input[data-otp]");
if (otp) fillFromMessage(otp);
if (document.querySelector("[data-live]") && !/\/(begin|resend|answer)$/.test(location.pathname)) watch();
