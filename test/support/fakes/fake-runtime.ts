import { type LoadOptions, loadModel } from '../../../src/webgpu/load/load.ts';
import { fakeEngines, hashedNext } from './fake-engine.ts';

/** runtime.js of a bundle whose engine needs no GPU: it answers every question with one text. */
export { BundleError } from '../../../src/webgpu/bundle-error.ts';
export { clearCache } from '../../../src/webgpu/load/bundle-files.ts';

/**
 * Put in by the build: ids of the answer, of the token that begins a message, and how many lie from that to
 * the answer.
 */
declare const SCRIPT: { readonly answer: readonly number[]; readonly begin: number; readonly lead: number };

const STOP = 2002;
const { create } = fakeEngines({
  pause: () => new Promise((resolve) => setTimeout(resolve, 12)),
  next(ids, sampling) {
    const begin = ids.lastIndexOf(SCRIPT.begin);
    return begin < 0 ? hashedNext(ids, sampling) : (SCRIPT.answer[ids.length - begin - SCRIPT.lead] ?? STOP);
  },
});

export const load = (url: string | URL, options: LoadOptions) => loadModel(url, create, options);
