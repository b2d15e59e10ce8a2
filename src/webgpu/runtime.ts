import { createEngine } from './engine/plm-engine.ts';
import { type LoadOptions, loadModel } from './load/load.ts';
import type { Model } from './model.ts';

/** What runtime.js of a bundle exports. */
export { BundleError, type BundleErrorCode } from './bundle-error.ts';
export type { ChatMessage } from './chat-form.ts';
export { createEngine } from './engine/plm-engine.ts';
export { clearCache, type StorageStats } from './load/bundle-files.ts';
export type { LoadOptions, LoadProgress } from './load/load.ts';
export { BUNDLE_SCHEMA, BUNDLE_VERSION, type BundleManifest } from './manifest.ts';
export type { EndReason, GenerateOptions, Model, ModelStats, Piece } from './model.ts';
export type { SelfTestResult } from './self-test.ts';

/** Loads the bundle at `url`, its folder or manifest: see `LoadOptions`. */
export function load(url: string | URL, options?: LoadOptions): Promise<Model> {
  return loadModel(url, createEngine, options);
}
