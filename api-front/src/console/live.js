// Keeps the overview fresh: the server renders, this puts it in place. Without it the page is as true as when it was loaded.
"use strict";
const live = document.getElementById("live");
if (live && window.EventSource) {
  const source = new EventSource("/console/live");
  source.onmessage = (event) => {
    if (document.hidden) return;
    live.innerHTML = JSON.parse(event.data);
    live.classList.remove("stale");
  };
  source.onerror = () => live.classList.add("stale");
}
