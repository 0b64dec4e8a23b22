/** Numbers and times as people read them. */

/** About four significant digits: 0.5244, 12.3, 1,234, 2.1e-5. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-3 || size >= 1e7) return value.toExponential(1);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(size < 1 ? 3 : 4)));
}

export function signed(value: number): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : '±'}${Math.abs(value).toFixed(2)}`;
}

export function percent(probability: number): string {
  if (probability > 0 && probability < 0.001) return '<0.1%';
  return `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)}%`;
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** Tags such as `two_object` as words. */
export const words = (name: string): string => name.replaceAll('_', ' ');
