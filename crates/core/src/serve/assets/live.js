// Keeps an open page up to date. Everything is readable without it.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;
  const about = main.dataset.live;
  // More of a log than this makes a browser slow.
  const LOG_CHARS_MAX = 1 << 20;
  let busy = false;
  let again = false;

  // Reloads the page, and replaces what changed.
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const parts = new Set();
      for (const part of fresh.querySelectorAll("main [data-part]")) {
        parts.add(part.id);
        replace(document.getElementById(part.id), part, fresh);
      }
      for (const part of main.querySelectorAll("[data-part]")) if (!parts.has(part.id)) part.remove();
      document.title = fresh.title;
    } catch (error) {
      // The service does not respond; the stream reports when it is back.
    } finally {
      busy = false;
      if (again) { again = false; setTimeout(refresh, 500); }
    }
  };

  const replace = (old, part, fresh) => {
    if (!old) {
      // Where the new page has it: before the next part that is here already.
      let next = part.nextElementSibling;
      while (next && !(next.id && document.getElementById(next.id))) next = next.nextElementSibling;
      main.insertBefore(document.importNode(part, true), next ? document.getElementById(next.id) : main.querySelector("section:last-of-type"));
      return;
    }
    if (old.outerHTML === part.outerHTML) return;
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    const key = focus && (focus.getAttribute("href") || focus.textContent);
    const scrolled = old.querySelector(".scroll")?.scrollLeft;
    const now = document.importNode(part, true);
    old.replaceWith(now);
    if (scrolled) now.querySelector(".scroll").scrollLeft = scrolled;
    if (key) {
      const same = [...now.querySelectorAll("a, button, [tabindex]")];
      same.find((one) => (one.getAttribute("href") || one.textContent) === key)?.focus({ preventScroll: true });
    }
  };

  const log = document.getElementById("log");
  let reading = false;
  // Appends new output.
  const readLog = async () => {
    if (!log || reading) return;
    reading = true;
    try {
      for (;;) {
        const answer = await fetch(`/builds/${log.dataset.build}/log?from=${log.dataset.next}`, { cache: "no-store" });
        if (!answer.ok) break;
        const next = answer.headers.get("x-log-next");
        if (next === null || next === log.dataset.next) break;
        const text = (await answer.text()).replace(/\x1b\[[0-?]*[ -\/]*[@-~]/g, "").replace(/\r\n?/g, "\n")
          .replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
        const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
        log.append(text);
        if (log.textContent.length > LOG_CHARS_MAX) log.textContent = log.textContent.slice(-LOG_CHARS_MAX / 2);
        if (atEnd) log.scrollTop = log.scrollHeight;
        log.dataset.next = next;
      }
    } catch (error) {
      // As above.
    } finally {
      reading = false;
    }
  };
  if (log) log.scrollTop = log.scrollHeight;

  const everything = () => { refresh(); readLog(); };

  // Warns that the page may be out of date, once the service has not responded for a while.
  const AWAY_AFTER = 20000;
  let away = null;
  const lost = () => {
    away ??= setTimeout(() => {
      const notice = document.createElement("div");
      notice.id = "away";
      notice.className = "warning";
      notice.setAttribute("role", "alert");
      notice.textContent = `The service has not responded since ${new Date(Date.now() - AWAY_AFTER).toLocaleTimeString()}; this page may be out of date.`;
      main.prepend(notice);
    }, AWAY_AFTER);
  };
  const found = () => {
    clearTimeout(away);
    away = null;
    document.getElementById("away")?.remove();
  };

  const connect = () => {
    const stream = new EventSource("/live");
    // Also after a reconnect, as changes in between were missed.
    stream.addEventListener("open", () => { found(); everything(); });
    stream.addEventListener("all", everything);
    stream.addEventListener("error", () => {
      lost();
      // After a response that is not a stream, such as that of a proxy, the browser does not reconnect by itself.
      if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    });
    stream.addEventListener("news", (event) => {
      const news = JSON.parse(event.data);
      const concerns = about === "deliveries" ? news.deliveries : about === "all" ? news.builds.length > 0 || news.retraining
        : about === "retraining" && news.retraining;
      if (concerns || news.health) refresh();
      if (news.builds.includes(Number(about))) everything();
    });
  };
  connect();
  // Updates the ages.
  setInterval(() => { if (!document.hidden) refresh(); }, 60000);
})();
