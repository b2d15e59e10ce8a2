import { PressError } from '../../core/errors.ts';
import { DAWN_PACKAGE, openAdapter } from '../engines/dawn.ts';
import { loadOnnxRuntime, ONNX_RUNTIME_PACKAGE } from '../engines/onnxruntime.ts';

/** The result of trying an engine. */
export type ProbeResult =
  | { readonly works: true; readonly detail?: string }
  | { readonly works: false; readonly what: string; readonly expected?: string };

/** How each optional package is tried. Returns a detail to show, if any. */
const TRIALS: Readonly<Record<string, () => Promise<string | undefined>>> = {
  [ONNX_RUNTIME_PACKAGE]: async () => {
    await loadOnnxRuntime();
    return undefined;
  },
  [DAWN_PACKAGE]: async () => {
    const { info } = await openAdapter();
    const { vendor, architecture, description } = info;
    return `GPU ${description || [vendor, architecture].filter(Boolean).join(' ') || 'without a name'}`;
  },
};

/**
 * Entry of a process of its own, which `doctor` starts with the name of a package: it sends a `ProbeResult`,
 * and waits to be ended.
 */
async function probe(name: string): Promise<ProbeResult> {
  try {
    const detail = await TRIALS[name]!();
    return { works: true, ...(detail !== undefined && { detail }) };
  } catch (error) {
    if (!(error instanceof PressError)) return { works: false, what: 'cannot be loaded' };
    const { what, expected } = error.fault;
    return { works: false, what, ...(expected !== undefined && { expected }) };
  }
}

// The other process ends this one: some drivers crash when their process ends by itself.
process.send!(await probe(process.argv[2]!));
