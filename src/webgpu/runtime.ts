/** What runtime.js of a bundle exports. */
export { BundleError } from './bundle-error.ts';
export { BUNDLE_SCHEMA, BUNDLE_VERSION } from './manifest.ts';
export { createEngine } from './plm-engine.ts';
