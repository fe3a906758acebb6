// SPDX-License-Identifier: Apache-2.0
// A note beside whatever carries data-tip: under the pointer, by touch, or reached with the keyboard.
(function () {
  "use strict";
  var tip = document.getElementById("tip");
  function place(x, y) {
    var box = tip.getBoundingClientRect(), room = 12;
    tip.style.left = Math.max(4, Math.min(x + room, innerWidth - box.width - 4)) + "px";
    tip.style.top = (y + room + box.height > innerHeight ? Math.max(4, y - room - box.height) : y + room) + "px";
  }
  function show(mark, x, y) {
    tip.textContent = mark.getAttribute("data-tip");
    tip.style.display = "block";
    place(x, y);
  }
  function hide() { tip.style.display = "none"; }
  function of(event) { return event.target.closest ? event.target.closest("[data-tip]") : null; }
  document.addEventListener("pointermove", function (event) {
    var mark = of(event);
    if (mark) { show(mark, event.clientX, event.clientY); } else { hide(); }
  });
  document.addEventListener("pointerdown", function (event) { if (!of(event)) { hide(); } });
  document.addEventListener("focusin", function (event) {
    var mark = of(event), box = mark && mark.getBoundingClientRect();
    if (mark) { show(mark, box.right, box.bottom); }
  });
  document.addEventListener("focusout", hide);
  addEventListener("scroll", hide, { passive: true });
  document.querySelectorAll("svg [data-key]").forEach(function (mark) { mark.setAttribute("tabindex", "0"); });
})();
