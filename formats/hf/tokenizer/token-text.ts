import type { JsonField } from '../../../src/core/json/json-field.ts';

/** The text of a token given by itself or by an object around it. */
export function tokenText(field: JsonField): string {
  return (field.value instanceof Map ? field.at('content') : field).string();
}
