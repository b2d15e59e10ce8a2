import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import koffi from 'koffi';
import { InferenceSession } from 'onnxruntime-node';
import { onnx } from '../../../formats/onnx/proto.ts';
import { loadOnnxRuntime } from '../../../src/pipeline/engines/onnxruntime.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export { InferenceSession, Tensor } from 'onnxruntime-node';

// Settles what tensors of float16 hold, for everyone who imports the package.
await loadOnnxRuntime();

/** The GPU in software that Debian's chromium brings. */
export const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Why onnxruntime has no GPU here; false where it has. */
export const NO_GPU: string | false =
  !(existsSync(SWIFTSHADER) && loads('libvulkan.so.1')) &&
  'chromium or libvulkan1 is not installed: onnxruntime has no GPU in software';

function loads(library: string): boolean {
  try {
    koffi.load(library).unload();
    return true;
  } catch {
    return false;
  }
}

export type Provider = 'cpu' | 'webgpu';

export type OpenOptions = Pick<
  InferenceSession.SessionOptions,
  'graphOptimizationLevel' | 'intraOpNumThreads' | 'logSeverityLevel' | 'optimizedModelFilePath'
>;

/** A session of onnxruntime over a `.onnx` file and the data beside it; it goes when the test ends. */
export async function openOnnx(
  t: TestContext,
  file: string,
  provider: Provider = 'cpu',
  options: OpenOptions = {},
): Promise<InferenceSession> {
  const session = await createSession(file, provider, options);
  t.after(() => session.release());
  return session;
}

/** Errors alone go to stderr, unless the options want more. */
export function createSession(file: string, provider: Provider, options: OpenOptions) {
  if (provider === 'webgpu') {
    // The Vulkan loader reads them when a session first wants a GPU. Without the second it complains on
    // stderr.
    process.env.VK_ICD_FILENAMES = SWIFTSHADER;
    process.env.XDG_RUNTIME_DIR ??= os.tmpdir();
  }
  return InferenceSession.create(file, { logSeverityLevel: 3, ...options, executionProviders: [provider] });
}

export interface PlacedNode {
  readonly op: string;
  readonly name: string;
}

/** The nodes of the optimised graph, by the provider (`CPUExecutionProvider`) that runs them. */
export type Placement = Readonly<Record<string, readonly PlacedNode[]>>;

/** Where onnxruntime runs each node. It says so only in its log, so a process of its own opens the model. */
export async function placement(
  t: TestContext,
  file: string,
  provider: Provider,
  options: OpenOptions = {},
): Promise<Placement> {
  const folder = temporaryFolder(t);
  const [optimized, log] = ['optimized.onnx', 'log'].map((name) => path.join(folder, name)) as [
    string,
    string,
  ];
  const verbose: OpenOptions = { ...options, logSeverityLevel: 0, optimizedModelFilePath: optimized };
  const open = `import { createSession } from ${JSON.stringify(import.meta.url)};
    await createSession(...JSON.parse(process.argv[1]));`;
  const argv = ['--input-type=module', '-e', open, JSON.stringify([file, provider, verbose])];
  // To a file: Node makes pipes that do not block, and what onnxruntime writes into a full one is lost.
  const stderr = openSync(log, 'w');
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', stderr] });
  const [code] = await once(child, 'close');
  closeSync(stderr);
  assert.equal(code, 0);
  const placed = placementOf(readFileSync(log, 'utf8'));
  const [provider0, ...others] = Object.keys(placed);
  if (provider0 === undefined || others.length > 0) return placed;
  const { graph } = onnx.ModelProto.decode(readFileSync(optimized));
  return { [provider0]: graph!.node!.map(({ opType, name }) => ({ op: opType!, name: name! })) };
}

/**
 * The placement that the log of a session tells, which a page has on its console. It lists nodes where
 * several providers share them; one that has them all comes with an empty list.
 */
export function placementOf(log: string): Placement {
  const placed: Record<string, PlacedNode[]> = {};
  let nodes: PlacedNode[] = [];
  for (const [, provider, op, name] of log.matchAll(
    /AssignedToAnEp\]\s+(?:(?:All nodes|Node\(s\)) placed on \[(\w+)\]|(\w+) \((.*)\)$)/gm,
  )) {
    if (provider !== undefined) nodes = placed[provider] = [];
    else nodes.push({ op: op!, name: name! });
  }
  return placed;
}
