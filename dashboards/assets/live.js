// Keeps the figures of a page fresh: fetches its main part and changes only what differs, so that focus, selection and
// scroll position stay. Without this script the page is complete and is refreshed by loading it again.
"use strict";
(() => {
  const EVERY_MS = 1500;
  const TIMEOUT_MS = 10000;
  const main = document.querySelector("main[data-live]");
  const stale = document.getElementById("stale");
  if (!main) return;

  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

  function change(shown, fresh) {
    if (shown.nodeType !== Node.ELEMENT_NODE) {
      if (shown.nodeValue !== fresh.nodeValue) shown.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...shown.attributes]) if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
    for (const { name, value } of fresh.attributes) {
      if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
    changeChildren(shown, fresh);
  }

  function changeChildren(shown, fresh) {
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, position) => {
      const present = shown.childNodes[position];
      if (!present) shown.append(node);
      else if (same(present, node)) change(present, node);
      else present.replaceWith(node);
    });
    while (shown.childNodes.length > wanted.length) shown.lastChild.remove();
  }

  async function refresh() {
    try {
      const response = await fetch(main.dataset.live, {
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      changeChildren(main, fresh.body);
      stale.hidden = true;
    } catch (error) {
      stale.hidden = false;
    }
  }

  async function keepFresh() {
    if (!document.hidden) await refresh();
    setTimeout(keepFresh, EVERY_MS);
  }
  setTimeout(keepFresh, EVERY_MS);
})();
