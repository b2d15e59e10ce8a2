import { readFileSync } from 'node:fs';

const PACKAGE = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

/** Version of plmpress: that of its package.json, which stands beside dist. */
export const VERSION: string = PACKAGE.version;

/** Versions of Node.js that it is made for, as `>=20.19`. */
export const NODE_RANGE: string = PACKAGE.engines.node;
