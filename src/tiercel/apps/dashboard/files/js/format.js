// Figures as people read them. What is unknown is a dash, never a number.
export const UNKNOWN = "\u2013";

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => (known(value) ? grouped.format(value) : UNKNOWN);
export function percent(share, digits = 1) {
  if (!known(share)) return UNKNOWN;
  const least = 10 ** -digits;
  return share > 0 && 100 * share < least / 2 ? `<\u00a0${least}\u00a0%` : `${(100 * share).toFixed(digits)}\u00a0%`;
}
export const quality = (value) => (known(value) ? value.toFixed(3) : UNKNOWN);
export const decimal = (value, digits = 2) => (known(value) ? value.toFixed(digits) : UNKNOWN);

export function latency(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)}\u00a0s`;
  return ms >= 10 || ms === 0 ? `${grouped.format(ms)}\u00a0ms` : `${ms.toFixed(1)}\u00a0ms`;
}

export function dollars(usd) {
  if (!known(usd)) return UNKNOWN;
  const sign = usd < 0 ? "\u2212" : "";
  const size = Math.abs(usd);
  if (size === 0) return "$0";
  if (size >= 1000) return `${sign}$${grouped.format(size)}`;
  if (size >= 0.1) return `${sign}$${size.toFixed(2)}`;
  return `${sign}$${Number(size.toPrecision(2)).toFixed(Math.min(10, 1 - Math.floor(Math.log10(size))))}`;
}

export function signed(value, digits = 3) {
  if (!known(value)) return UNKNOWN;
  return `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(digits)}`;
}

export function between(low, high, format) {
  return known(low) && known(high) ? `${format(low)} to ${format(high)}` : UNKNOWN;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function moment(iso) {
  if (!iso) return UNKNOWN;
  const at = new Date(iso);
  return Math.abs(Date.now() - at) < 43_200_000 ? clock.format(at) : day.format(at);
}

export const momentOf = (epoch_s, width_s) => (width_s < 3600 ? clock : day).format(new Date(1000 * epoch_s));

export function ago(iso) {
  if (!iso) return UNKNOWN;
  const s = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  if (s < 90) return `${Math.round(s)}\u00a0s ago`;
  if (s < 5400) return `${Math.round(s / 60)}\u00a0min ago`;
  return s < 129_600 ? `${Math.round(s / 3600)}\u00a0h ago` : `${Math.round(s / 86_400)}\u00a0days ago`;
}

export const place = (record) =>
  record.workflow !== undefined && record.workflow !== null && record.workflow !== ""
    ? `${record.workflow} / ${record.stage}`
    : record.agent_id || record.model || UNKNOWN;

// what an alert says, without the severity that is shown beside it
export const told = ({ message, severity }) => (message.startsWith(`${severity}: `) ? message.slice(severity.length + 2) : message);

export const words = (name) => String(name ?? UNKNOWN).replaceAll("_", " ");

// the parts of an alert's or a change's segment, as one name
export const segmentName = (segment) => (segment?.length ? segment.slice(1).join(" / ") : null);
