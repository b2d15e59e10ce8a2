import { readFileSync } from 'node:fs';

/** Version of plmpress: that of its package.json, which stands beside dist. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
).version;
