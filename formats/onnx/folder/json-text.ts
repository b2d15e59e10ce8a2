/**
 * What is written as JSON. A map keeps the order of its keys whatever they are; undefined members are left
 * out.
 */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | ReadonlyMap<string, Json>
  | { readonly [key: string]: Json | undefined };

/**
 * The text of a JSON file: indented by two spaces, with a final newline. Unlike `JSON.stringify` it leaves a
 * vocabulary in the order of its ids: objects put keys that are digits first.
 */
export function jsonText(value: Json): string {
  return `${render(value, '\n')}\n`;
}

/** `newline` is the line break with the indentation that the value stands at. */
function render(value: Json, newline: string): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const inner = `${newline}  `;
  if (isArray(value)) {
    const items = value.map((item) => inner + render(item, inner));
    return items.length === 0 ? '[]' : `[${items.join(',')}${newline}]`;
  }
  const members: string[] = [];
  for (const [key, member] of value instanceof Map ? value : Object.entries(value)) {
    if (member !== undefined) members.push(`${inner}${JSON.stringify(key)}: ${render(member, inner)}`);
  }
  return members.length === 0 ? '{}' : `{${members.join(',')}${newline}}`;
}

/** `Array.isArray` does not know read-only arrays. */
function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
