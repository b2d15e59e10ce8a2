import { BundleError } from '../bundle-error.ts';

/** SHA-256 in hex. Throws `BundleError` `unsupported` on pages without crypto.subtle. */
export async function sha256(bytes: BufferSource): Promise<string> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new BundleError(
      'unsupported',
      'this page is not a secure context: weights are verified, and WebGPU exists, only on https:// and localhost',
    );
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
