// Builds and renews the page. Text is only ever set as text: whatever a name holds, it is shown and never run.
const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onsubmit", "oninput", "onchange", "ontoggle"];

// el("p", { class: "quiet", onclick: f }, "text", node): properties that are null or false are left out.
export function el(tag, properties, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function svg(tag, properties, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") || name === "paint" || name === "value") node[name] = value;
    else if (name === "width_share") node.style.width = `${100 * value}%`;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Make `place` hold `wanted` while keeping what did not change: focus, selection, scrolling, opened details.
export function renew(place, wanted) {
  const fresh = place.cloneNode(false);
  fresh.append(...[wanted].flat(Infinity).filter(Boolean));
  matchChildren(place, fresh);
  for (const node of place.querySelectorAll("[data-paint]")) node.paint?.(node);
}

function matchChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const keyed = new Map();
  for (const child of old.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let next = old.firstChild;
  for (const child of wanted) {
    const key = child.dataset?.key;
    const kept = key ? keyed.get(key) : next;
    if (kept && !(!key && kept.dataset?.key) && alike(kept, child)) {
      if (kept === next) next = next.nextSibling;
      else old.insertBefore(kept, next);
      match(kept, child);
    } else {
      old.insertBefore(child, next);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;
}

function match(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const name of HANDLERS) if (old[name] !== fresh[name]) old[name] = fresh[name];
  matchAttributes(old, fresh);
  if (old.style.width !== fresh.style.width) old.style.width = fresh.style.width;
  if (fresh.paint) old.paint = fresh.paint; // what is painted below is the painter's
  else matchChildren(old, fresh);
}

function matchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    // whether details are open is the reader's to say
    if (name !== "open" && name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// Said once to who listens to the page instead of looking at it.
export function tell(text) {
  const told = document.getElementById("told");
  if (told.textContent !== text) told.textContent = text;
}
