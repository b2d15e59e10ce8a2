import os from 'node:os';
import type { TestContext } from 'node:test';
import { create } from 'webgpu';
import { SWIFTSHADER } from './onnxruntime.ts';

/** Devices do not keep it, and what waits for a GPU aborts the process once it has been collected. */
let dawn: GPU | undefined;

/** A device of Dawn that computes in software. It goes when the test ends. */
export async function openDawn(t: TestContext, limits: Record<string, number> = {}): Promise<GPUDevice> {
  // The Vulkan loader reads them when the adapter is asked for.
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  process.env.XDG_RUNTIME_DIR ??= os.tmpdir();
  dawn ??= create([]);
  const adapter = await dawn.requestAdapter();
  if (adapter === null) throw new Error('Dawn finds no adapter');
  const device = await adapter.requestDevice({ requiredLimits: limits });
  t.after(() => device.destroy());
  return device;
}
