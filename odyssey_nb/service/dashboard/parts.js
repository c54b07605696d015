// @ts-check
// What the sections are built of.

/**
 * Make an element. Attributes whose value is false are left out, functions hear events.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean | ((event: any) => unknown)>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Set a text, touching the page only when it changes. @param {Element} place @param {string} text */
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * A section of the page: its heading, what went wrong in it, and its content.
 *
 * @param {string} title
 * @param {...Node} content
 */
export function section(title, ...content) {
  const id = title.toLowerCase().replaceAll(" ", "-");
  const count = element("span", { class: "count" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const heading = element("h2", { id }, title, " ", count);
  const root = element("section", { "aria-labelledby": id, "aria-busy": "true" });
  root.append(heading, problem, ...content);
  return { root, count, problem };
}

/** A line for a section that has nothing to show. @param {...(Node | string)} words */
export function empty(...words) {
  return element("p", { class: "card empty", hidden: true }, ...words);
}

/**
 * Keep one child of `list` for each item, in the items' order. Children of items that stay are
 * updated and not replaced, or they would lose focus.
 *
 * @template Item
 * @param {HTMLElement} list
 * @param {Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => HTMLElement} make
 * @param {(child: HTMLElement, item: Item) => void} [update]
 */
export function keep(list, items, keyOf, make, update = () => {}) {
  const old = new Map(
    Array.from(list.children, (child) => {
      const kept = /** @type {HTMLElement} */ (child);
      return [kept.dataset.key, kept];
    }),
  );
  /** @type {Element | null} */
  let place = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = old.get(key);
    old.delete(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
  for (const child of old.values()) child.remove();
}

/**
 * Ask before something is lost. Resolves to whether it shall be.
 *
 * @param {string} question
 * @param {string} consequence
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirmed(question, consequence, yes) {
  return new Promise((resolve) => {
    const dialog = element("dialog", { class: "question", "aria-label": question });
    /** @param {string} words @param {string} kind @param {string} answer */
    const choice = (words, kind, answer) =>
      element("button", { type: "button", class: kind, click: () => dialog.close(answer) }, words);
    dialog.append(
      element("h3", {}, question),
      element("p", { class: "soft" }, consequence),
      element("div", { class: "choices" }, choice("Cancel", "", "no"), choice(yes, "danger", "yes")),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
