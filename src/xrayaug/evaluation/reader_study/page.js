"use strict";
(() => {
  const study = JSON.parse(document.getElementById("data").textContent);
  const byId = (name) => document.getElementById(name);
  const STORAGE_KEY = "xrayaug-reader-" + study.study;
  const images = study.images;
  let state = newState();
  let place = 0;
  let shownAt = null; // time at which the image was shown; null while no image is on screen
  let unsaved = false;

  function newState() {
    return { reader: "", started: null, place: 0, answers: {} };
  }

  // The browser stores the state of each reader by name. Another page may have written it, so every value is checked.
  function readStorage(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      byId("no-storage").hidden = false;
      return null;
    }
  }

  function loadState(reader) {
    const loaded = newState();
    loaded.reader = reader;
    try {
      const stored = JSON.parse(readStorage(STORAGE_KEY + "-" + reader)) ?? {};
      loaded.started = typeof stored.started === "string" ? stored.started : null;
      loaded.place = Number.isInteger(stored.place) && stored.place >= 0 && stored.place < images.length ? stored.place : 0;
      for (const { id } of images) if (stored.answers?.[id]) loaded.answers[id] = validAnswer(stored.answers[id]);
      return loaded;
    } catch {
      return { ...newState(), reader }; // a damaged state counts as none
    }
  }

  function validAnswer(stored) {
    const oneOf = (value, allowed) => (allowed.includes(value) ? value : null);
    return {
      answer: oneOf(stored.answer, ["real", "synthetic"]),
      confidence: oneOf(stored.confidence, [1, 2, 3, 4, 5]),
      seconds: Number.isFinite(stored.seconds) && stored.seconds >= 0 ? stored.seconds : 0,
      defects: Array.isArray(stored.defects) ? study.defects.filter((name) => stored.defects.includes(name)) : [],
      comment: typeof stored.comment === "string" ? replaceLoneSurrogates(stored.comment.slice(0, study.max_comment_length)) : "",
    };
  }

  // One half of a surrogate pair would make the file unreadable.
  function replaceLoneSurrogates(text) {
    return text.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD");
  }

  function storeState() {
    unsaved = true;
    try {
      localStorage.setItem(STORAGE_KEY + "-" + state.reader, JSON.stringify(state));
      localStorage.setItem(STORAGE_KEY, state.reader);
    } catch {
      byId("no-storage").hidden = false;
    }
  }

  function currentAnswer() {
    const id = images[place].id;
    state.answers[id] ??= { answer: null, confidence: null, seconds: 0, defects: [], comment: "" };
    return state.answers[id];
  }

  function countAnswered(someState = state) {
    return images.filter(({ id }) => someState.answers[id]?.answer).length;
  }

  // Adds the seconds that the image was on screen, over all visits; not while the page is in the background.
  function updateTimer(isVisible) {
    if (shownAt !== null) {
      currentAnswer().seconds += (performance.now() - shownAt) / 1000;
      storeState();
    }
    shownAt = isVisible ? performance.now() : null;
  }

  function showSection(name) {
    for (const main of document.querySelectorAll("main")) main.hidden = main.id !== name;
    window.scrollTo(0, 0);
  }

  function showImage(number) {
    updateTimer(false);
    place = number;
    state.place = place;
    showSection("question");
    byId("image").src = "data:image/png;base64," + images[place].png;
    byId("image").alt = `Radiograph ${place + 1} of ${images.length}`;
    showAnswer();
    updateTimer(!document.hidden);
  }

  function showAnswer() {
    const answer = currentAnswer();
    const suffix = answer.answer ? `, answered: ${answer.answer}` : "";
    byId("place").textContent = `Image ${place + 1} of ${images.length}${suffix}`;
    byId("progress").value = countAnswered();
    byId("back").disabled = place === 0;
    for (const button of document.querySelectorAll("[data-answer]"))
      button.setAttribute("aria-pressed", String(button.dataset.answer === answer.answer));
    for (const button of document.querySelectorAll("[data-confidence]"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.confidence) === answer.confidence));
    for (const box of document.querySelectorAll("[data-defect]")) box.checked = answer.defects.includes(box.dataset.defect);
    if (byId("comment").value !== answer.comment) byId("comment").value = answer.comment;
  }

  function changeAnswer(changes) {
    Object.assign(currentAnswer(), changes);
    storeState();
    showAnswer();
  }

  function move(step) {
    const target = place + step;
    if (target >= images.length) showEnd();
    else if (target >= 0) showImage(target);
  }

  function showEnd() {
    updateTimer(false);
    showSection("end");
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

  function saveFile() {
    const answers = images.map(({ id }) => ({ image: id, ...validAnswer(state.answers[id] ?? {}) }));
    const content = {
      format: study.format, kind: study.kind, study: study.study, reader: state.reader, started: state.started,
      saved: new Date().toISOString(), answers,
    };
    const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1) + "\n"], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `reader-${state.reader.replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 40)}-${study.study.slice(0, 8)}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    unsaved = false;
    byId("summary").textContent = `Saved as ${link.download}: ${countAnswered()} of ${images.length} images answered by ${state.reader}.`;
  }

  function onKey(event) {
    if (byId("question").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.id === "comment") {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (target.type === "range") return;
    const key = event.key.toLowerCase();
    const isControl = target.matches?.("button, input, summary");
    if (key === "r") changeAnswer({ answer: "real" });
    else if (key === "s") changeAnswer({ answer: "synthetic" });
    else if (/^[1-5]$/.test(key)) changeAnswer({ confidence: Number(key) });
    else if (key === "arrowright" || (key === "enter" && !isControl)) move(1);
    else if (key === "arrowleft") move(-1);
    else return;
    event.preventDefault();
  }

  function applyFilter() {
    byId("image").style.filter = `brightness(${byId("brightness").value}%) contrast(${byId("contrast").value}%)`;
  }

  function addListeners() {
    byId("begin").addEventListener("submit", (event) => {
      event.preventDefault();
      const reader = readerName();
      if (!reader) return;
      state = loadState(reader);
      state.started ??= new Date().toISOString();
      storeState();
      showImage(state.place);
    });
    byId("discard").addEventListener("click", () => {
      if (!confirm(`Discard the answers of ${readerName()} that are kept in this browser?`)) return;
      state = { ...newState(), reader: readerName() };
      storeState();
      unsaved = false;
      showStored();
    });
    byId("reader").addEventListener("input", showStored);
    for (const button of document.querySelectorAll("[data-answer]"))
      button.addEventListener("click", () => changeAnswer({ answer: button.dataset.answer }));
    for (const button of document.querySelectorAll("[data-confidence]"))
      button.addEventListener("click", () => {
        const confidence = Number(button.dataset.confidence);
        changeAnswer({ confidence: currentAnswer().confidence === confidence ? null : confidence });
      });
    for (const box of document.querySelectorAll("[data-defect]"))
      box.addEventListener("change", () => {
        const ticked = [...document.querySelectorAll("[data-defect]:checked")].map((checked) => checked.dataset.defect);
        changeAnswer({ defects: ticked });
      });
    byId("comment").addEventListener("input", () => changeAnswer({ comment: byId("comment").value }));
    byId("back").addEventListener("click", () => move(-1));
    byId("next").addEventListener("click", () => move(1));
    byId("finish").addEventListener("click", showEnd);
    byId("return").addEventListener("click", () => showImage(place));
    byId("save").addEventListener("click", saveFile);
    for (const name of ["brightness", "contrast"]) byId(name).addEventListener("input", applyFilter);
    byId("reset").addEventListener("click", () => {
      byId("brightness").value = byId("contrast").value = 100;
      applyFilter();
    });
    document.addEventListener("keydown", onKey);
    document.addEventListener("visibilitychange", () => {
      if (!byId("question").hidden) updateTimer(!document.hidden);
    });
    window.addEventListener("pagehide", () => updateTimer(false));
    window.addEventListener("beforeunload", (event) => {
      if (unsaved && !byId("no-storage").hidden) event.preventDefault(); // the answers are stored nowhere else
    });
  }

  function readerName() {
    return replaceLoneSurrogates(byId("reader").value.trim());
  }

  function showStored() {
    const number = countAnswered(loadState(readerName()));
    byId("stored").hidden = number === 0;
    byId("stored-text").textContent = `${number} answers of ${readerName()} are kept in this browser; Begin goes on with them.`;
  }

  function showStart() {
    showSection("start");
    byId("reader").value = (readStorage(STORAGE_KEY) ?? "").slice(0, 80);
    showStored();
    byId("reader").focus();
  }

  addListeners();
  showStart();
})();
