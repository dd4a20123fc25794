// Makes the pages quicker to use; each of them works without it.
"use strict";

(() => {
  const inField = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

  // A page that waits for something in the background is loaded again, unless the reader is busy with it.
  if (document.body.hasAttribute("data-reload")) {
    setTimeout(() => {
      if (!inField(document.activeElement || document.body)) location.reload();
    }, 1500);
  }

  // The contact sheet of approvals: j and k move, x chooses, a approves, r rejects.
  const sheet = document.querySelector("#sheet");
  const boxes = sheet ? [...sheet.querySelectorAll("[data-item] input[type=checkbox]")] : [];
  const inSheet = (key) => {
    const at = boxes.indexOf(document.activeElement);
    const decide = (button) => {
      if (at >= 0 && !boxes.some((box) => box.checked)) boxes[at].checked = true;
      sheet.querySelector(button).click();
    };
    const keys = {
      j: () => boxes[Math.min(at + 1, boxes.length - 1)].focus(),
      k: () => boxes[Math.max(at - 1, 0)].focus(),
      x: () => { if (at >= 0) boxes[at].click(); },
      a: () => decide("[data-approve]"),
      r: () => decide("[data-reject]"),
    };
    if (!keys[key]) return false;
    keys[key]();
    return true;
  };
  if (boxes.length > 0) {
    const chosen = sheet.querySelector("[data-chosen]");
    const all = sheet.querySelector("[data-all]");
    const tell = () => {
      const number = boxes.filter((box) => box.checked).length;
      chosen.textContent = number === 0 ? "" : `${number} chosen`;
    };
    sheet.querySelector("[data-keys]").hidden = false;
    all.hidden = false;
    all.addEventListener("click", () => {
      const every = boxes.every((box) => box.checked);
      for (const box of boxes) box.checked = !every;
      tell();
    });
    sheet.addEventListener("change", tell);
  }

  // A letter in a text field is a letter.
  const inText = (target) => inField(target) && target.type !== "checkbox";

  document.addEventListener("keydown", (event) => {
    // Enter decides nothing, and keeps what is chosen.
    if (event.key === "Enter" && event.target.matches("#sheet input, .everything input")) event.preventDefault();
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (boxes.length > 0 && !inText(event.target) && inSheet(event.key)) event.preventDefault();
    if (event.key === "/" && !inText(event.target)) {
      event.preventDefault();
      document.querySelector("#person, #q").focus();
    }
  });
})();
