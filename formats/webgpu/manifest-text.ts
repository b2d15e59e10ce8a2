import type { BundleManifest } from '../../src/webgpu/manifest.ts';

/**
 * A manifest as JSON: a line a member, and a line an item of lists of objects. Undefined members are left
 * out.
 */
export function manifestText(manifest: BundleManifest): string {
  const members = Object.entries(manifest).filter(([, value]) => value !== undefined);
  return `{\n${members.map(([key, value]) => `  ${JSON.stringify(key)}: ${render(value)}`).join(',\n')}\n}\n`;
}

function render(value: unknown): string {
  const isList = Array.isArray(value) && value.some((item) => typeof item === 'object');
  return isList
    ? `[\n${value.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`
    : JSON.stringify(value);
}
