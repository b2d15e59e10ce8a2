/** What runtime.js of a bundle exports. */
export { BUNDLE_SCHEMA, BUNDLE_VERSION } from './manifest.ts';
