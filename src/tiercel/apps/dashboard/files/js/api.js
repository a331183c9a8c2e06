// What the gateway knows, read over HTTP. Changes carry the session's token, so that no other site can make them.
const CSRF = "x-tiercel-csrf";

export class Refused extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

export const account = { role: null, name: null, token: null, keys: false };
export const decides = () => account.role === "admin";

async function answered(response) {
  const text = response.status === 204 ? "" : await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(response.status, "the answer is not JSON");
  }
  if (!response.ok) throw new Refused(response.status, reason(response, body), body);
  return body;
}

function reason(response, body) {
  const said = body?.error?.message;
  if (response.status === 429) return `${said ?? "too many requests"}; try again in ${response.headers.get("retry-after") ?? "some"} s`;
  return said ?? `the gateway answered ${response.status}`;
}

export async function read(path, { signal } = {}) {
  const headers = { accept: "application/json" };
  return answered(await fetch(path, { headers, signal, credentials: "same-origin", cache: "no-store" }));
}

// As `read`, with null where this gateway does not have it.
export async function readIfThere(path, options) {
  try {
    return await read(path, options);
  } catch (error) {
    if (error instanceof Refused && [404, 405].includes(error.status)) return null;
    throw error;
  }
}

export async function send(method, path, body) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (account.token) headers[CSRF] = account.token;
  const text = body === undefined ? undefined : JSON.stringify(body);
  return answered(await fetch(path, { method, headers, body: text, credentials: "same-origin", cache: "no-store" }));
}

// Who we are. Throws `Refused` with 401 where a key is wanted.
export async function readAccount() {
  const session = await readIfThere("/session");
  account.role = session ? session.role : "admin"; // without /session there are no keys to ask for
  account.name = session?.csrf ? session.name : null; // without keys nobody has a name
  account.token = session?.csrf ?? null;
  account.keys = Boolean(account.token);
}

export async function signIn(key) {
  await send("POST", "/session", { key });
  await readAccount();
}

export async function signOut() {
  await send("DELETE", "/session");
  account.role = account.name = account.token = null;
}
