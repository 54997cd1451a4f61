// Keeps the overview fresh: the server renders, this puts it in place. Without it the page is as true as when it was loaded.
"use strict";

// Takes over what differs and leaves the rest as it is: a button that is being pressed, or has the focus, stays the same button. A form
// that would do something else by now is another form: it does not take the press that was meant for the one before.
const takeOver = (present, fresh) => {
  const isOther = present.nodeName !== fresh.nodeName || present.action !== fresh.action;
  if (isOther) return present.replaceWith(fresh);
  if (present.nodeType !== Node.ELEMENT_NODE) {
    if (present.data !== fresh.data) present.data = fresh.data;
    return;
  }
  for (const { name } of [...present.attributes]) if (!fresh.hasAttribute(name)) present.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (present.getAttribute(name) !== value) present.setAttribute(name, value);
  const [old, next] = [[...present.childNodes], [...fresh.childNodes]];
  next.forEach((node, place) => (place < old.length ? takeOver(old[place], node) : present.append(node)));
  old.slice(next.length).forEach((node) => node.remove());
};

const live = document.getElementById("live");
if (live && window.EventSource) {
  const source = new EventSource("/console/live");
  source.onmessage = (event) => {
    if (document.hidden) return;
    const fresh = live.cloneNode(false);
    fresh.innerHTML = JSON.parse(event.data);
    takeOver(live, fresh);
    live.classList.remove("stale");
  };
  source.onerror = () => {
    live.classList.add("stale");
    // The browser connects again by itself, but for when it was refused: after a restart the session is over, and the page says so.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000);
  };
}
