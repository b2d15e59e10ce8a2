import { parseJson } from '../../../src/core/json/json.ts';
import type { JsonValue } from '../../../src/core/json/json-value.ts';
import { holdsLocalPath } from '../../../src/core/text/local-path.ts';
import { QUANTIZATION_FIELDS } from '../../hf/config.ts';
import { jsonText } from './json-text.ts';

/** Members that name where a model was loaded from. */
const PLACE = /name_or_path$/;
/** `name` or `org/name`. */
const REPOSITORY_ID = /^(\w[\w.-]*(\/\w[\w.-]*)?)?$/;

/**
 * The config.json of a source as others may see it: as it was, or, where it holds any of these, without paths
 * of its maker's machine, without what it says of a quantization that the weights do not have, and without
 * numbers that no JSON holds.
 */
export function publishableConfig(text: string): string {
  const config = parseJson(text, 'config.json', { nonFinite: true }).object();
  const filter = new Filter();
  const kept = new Map([...config].filter(([key]) => !QUANTIZATION_FIELDS.includes(key)));
  const published = filter.object(kept);
  return filter.hasDropped || kept.size < config.size ? jsonText(published) : text;
}

/** Copies JSON without the members and items that stay at home. */
class Filter {
  hasDropped = false;

  object(members: ReadonlyMap<string, JsonValue>): ReadonlyMap<string, JsonValue> {
    const kept = new Map<string, JsonValue>();
    for (const [key, value] of members) {
      const isElsewhere = PLACE.test(key) && typeof value === 'string' && !REPOSITORY_ID.test(value);
      if (isElsewhere || isPrivate(key) || isPrivate(value)) this.hasDropped = true;
      else kept.set(key, this.#value(value));
    }
    return kept;
  }

  #value(value: JsonValue): JsonValue {
    if (value instanceof Map) return this.object(value);
    if (!Array.isArray(value)) return value;
    const items: readonly JsonValue[] = value;
    const kept = items.filter((item) => !isPrivate(item));
    if (kept.length < items.length) this.hasDropped = true;
    return kept.map((item) => this.#value(item));
  }
}

function isPrivate(value: JsonValue): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'string' && holdsLocalPath(value);
}
