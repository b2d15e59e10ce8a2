import os from 'node:os';
import type { TestContext } from 'node:test';
import { create } from 'webgpu';
import { SWIFTSHADER } from './onnxruntime.ts';

/** A device of Dawn that computes in software. It goes when the test ends. */
export async function openDawn(t: TestContext, limits: Record<string, number> = {}): Promise<GPUDevice> {
  // The Vulkan loader reads them when the adapter is asked for.
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  process.env.XDG_RUNTIME_DIR ??= os.tmpdir();
  const gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('Dawn finds no adapter');
  const device = await adapter.requestDevice({ requiredLimits: limits });
  t.after(() => device.destroy());
  return device;
}
