"use strict";
(() => {
  const study = JSON.parse(document.getElementById("data").textContent);
  const byId = (name) => document.getElementById(name);
  const KEEP = "xrayaug-reader-" + study.study;
  const images = study.images;
  let state = fresh();
  let place = 0;
  let shownAt = null; // when the image came into view; null while none is looked at
  let unsaved = false;

  function fresh() {
    return { reader: "", started: null, place: 0, answers: {} };
  }

  // What is kept in the browser, of each reader apart: another page may have written it, so nothing in it is taken for
  // granted.
  function kept(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      byId("unkept").hidden = false;
      return null;
    }
  }

  function keptOf(reader) {
    const found = fresh();
    found.reader = reader;
    try {
      const told = JSON.parse(kept(KEEP + "-" + reader)) ?? {};
      found.started = typeof told.started === "string" ? told.started : null;
      found.place = Number.isInteger(told.place) && told.place >= 0 && told.place < images.length ? told.place : 0;
      for (const { id } of images) if (told.answers?.[id]) found.answers[id] = cleaned(told.answers[id]);
      return found;
    } catch {
      return { ...fresh(), reader }; // damaged: as if nothing were there
    }
  }

  function cleaned(kept) {
    const among = (value, offered) => (offered.includes(value) ? value : null);
    return {
      answer: among(kept.answer, ["real", "synthetic"]),
      confidence: among(kept.confidence, [1, 2, 3, 4, 5]),
      seconds: Number.isFinite(kept.seconds) && kept.seconds >= 0 ? kept.seconds : 0,
      defects: Array.isArray(kept.defects) ? study.defects.filter((name) => kept.defects.includes(name)) : [],
      comment: typeof kept.comment === "string" ? whole(kept.comment.slice(0, study.longest)) : "",
    };
  }

  // Half of a character outside the basic plane would make the file unreadable.
  function whole(text) {
    return text.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD");
  }

  function keep() {
    unsaved = true;
    try {
      localStorage.setItem(KEEP + "-" + state.reader, JSON.stringify(state));
      localStorage.setItem(KEEP, state.reader);
    } catch {
      byId("unkept").hidden = false;
    }
  }

  function current() {
    const id = images[place].id;
    state.answers[id] ??= { answer: null, confidence: null, seconds: 0, defects: [], comment: "" };
    return state.answers[id];
  }

  function answered(of = state) {
    return images.filter(({ id }) => of.answers[id]?.answer).length;
  }

  // Seconds that an image was on screen, over all visits; not while the page is in the background.
  function clock(running) {
    if (shownAt !== null) {
      current().seconds += (performance.now() - shownAt) / 1000;
      keep();
    }
    shownAt = running ? performance.now() : null;
  }

  function show(name) {
    for (const main of document.querySelectorAll("main")) main.hidden = main.id !== name;
    window.scrollTo(0, 0);
  }

  function showImage(number) {
    clock(false);
    place = number;
    state.place = place;
    show("question");
    byId("image").src = "data:image/png;base64," + images[place].png;
    byId("image").alt = `Radiograph ${place + 1} of ${images.length}`;
    draw();
    clock(!document.hidden);
  }

  function draw() {
    const now = current();
    const said = now.answer ? `, answered: ${now.answer}` : "";
    byId("place").textContent = `Image ${place + 1} of ${images.length}${said}`;
    byId("progress").value = answered();
    byId("back").disabled = place === 0;
    for (const button of document.querySelectorAll("[data-answer]"))
      button.setAttribute("aria-pressed", String(button.dataset.answer === now.answer));
    for (const button of document.querySelectorAll("[data-sure]"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.sure) === now.confidence));
    for (const box of document.querySelectorAll("[data-defect]")) box.checked = now.defects.includes(box.dataset.defect);
    if (byId("comment").value !== now.comment) byId("comment").value = now.comment;
  }

  function change(what) {
    Object.assign(current(), what);
    keep();
    draw();
  }

  function move(step) {
    const to = place + step;
    if (to >= images.length) showEnd();
    else if (to >= 0) showImage(to);
  }

  function showEnd() {
    clock(false);
    show("end");
    const missing = images.map((image, number) => ({ image, number })).filter(({ image }) => !state.answers[image.id]?.answer);
    byId("summary").textContent = `${images.length - missing.length} of ${images.length} images answered by ${state.reader}.`;
    byId("missing").hidden = missing.length === 0;
    byId("missing-list").replaceChildren(
      ...missing.map(({ number }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = String(number + 1);
        button.setAttribute("aria-label", `Go to image ${number + 1}`);
        button.addEventListener("click", () => showImage(number));
        return button;
      }),
    );
    byId("end-title").focus();
  }

  function save() {
    const given = images.map(({ id }) => ({ image: id, ...cleaned(state.answers[id] ?? {}) }));
    const result = {
      format: study.format, kind: study.kind, study: study.study, reader: state.reader, started: state.started,
      saved: new Date().toISOString(), answers: given,
    };
    const url = URL.createObjectURL(new Blob([JSON.stringify(result, null, 1) + "\n"], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `reader-${state.reader.replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 40)}-${study.study.slice(0, 8)}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    unsaved = false;
    byId("summary").textContent = `Saved as ${link.download}: ${answered()} of ${images.length} images answered by ${state.reader}.`;
  }

  function onKey(event) {
    if (byId("question").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target;
    if (field.id === "comment") {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (field.type === "range") return;
    const key = event.key.toLowerCase();
    const onControl = field.matches?.("button, input, summary");
    if (key === "r") change({ answer: "real" });
    else if (key === "s") change({ answer: "synthetic" });
    else if (/^[1-5]$/.test(key)) change({ confidence: Number(key) });
    else if (key === "arrowright" || (key === "enter" && !onControl)) move(1);
    else if (key === "arrowleft") move(-1);
    else return;
    event.preventDefault();
  }

  function filter() {
    byId("image").style.filter = `brightness(${byId("brightness").value}%) contrast(${byId("contrast").value}%)`;
  }

  function listen() {
    byId("begin").addEventListener("submit", (event) => {
      event.preventDefault();
      const reader = named();
      if (!reader) return;
      state = keptOf(reader);
      state.started ??= new Date().toISOString();
      keep();
      showImage(state.place);
    });
    byId("anew").addEventListener("click", () => {
      if (!confirm(`Discard the answers of ${named()} that are kept in this browser?`)) return;
      state = { ...fresh(), reader: named() };
      keep();
      unsaved = false;
      tellKept();
    });
    byId("reader").addEventListener("input", tellKept);
    for (const button of document.querySelectorAll("[data-answer]"))
      button.addEventListener("click", () => change({ answer: button.dataset.answer }));
    for (const button of document.querySelectorAll("[data-sure]"))
      button.addEventListener("click", () => {
        const sure = Number(button.dataset.sure);
        change({ confidence: current().confidence === sure ? null : sure });
      });
    for (const box of document.querySelectorAll("[data-defect]"))
      box.addEventListener("change", () => {
        const ticked = [...document.querySelectorAll("[data-defect]:checked")].map((each) => each.dataset.defect);
        change({ defects: ticked });
      });
    byId("comment").addEventListener("input", () => change({ comment: byId("comment").value }));
    byId("back").addEventListener("click", () => move(-1));
    byId("next").addEventListener("click", () => move(1));
    byId("finish").addEventListener("click", showEnd);
    byId("return").addEventListener("click", () => showImage(place));
    byId("save").addEventListener("click", save);
    for (const name of ["brightness", "contrast"]) byId(name).addEventListener("input", filter);
    byId("plain").addEventListener("click", () => {
      byId("brightness").value = byId("contrast").value = 100;
      filter();
    });
    document.addEventListener("keydown", onKey);
    document.addEventListener("visibilitychange", () => {
      if (!byId("question").hidden) clock(!document.hidden);
    });
    window.addEventListener("pagehide", () => clock(false));
    window.addEventListener("beforeunload", (event) => {
      if (unsaved && !byId("unkept").hidden) event.preventDefault(); // nothing else has the answers
    });
  }

  function named() {
    return whole(byId("reader").value.trim());
  }

  function tellKept() {
    const number = answered(keptOf(named()));
    byId("kept").hidden = number === 0;
    byId("kept-text").textContent = `${number} answers of ${named()} are kept in this browser; Begin goes on with them.`;
  }

  function showStart() {
    show("start");
    byId("reader").value = (kept(KEEP) ?? "").slice(0, 80);
    tellKept();
    byId("reader").focus();
  }

  listen();
  showStart();
})();
