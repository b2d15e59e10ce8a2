import assert from 'node:assert/strict';
import { BundleError } from '../../src/webgpu/bundle-error.ts';

/** For `assert.rejects`: a `BundleError` of this code with such a message. */
export const bundleError = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BundleError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};
