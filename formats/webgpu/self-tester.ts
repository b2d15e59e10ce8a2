import type { Making } from '../../src/core/export-plan.ts';
import type { Model } from '../../src/core/model.ts';
import type { SelfTest } from '../../src/webgpu/manifest.ts';

/** Computes with the weights of a bundle as they are written. */
export interface SelfTester {
  /** Working memory that it takes, by the layouts of the tensors alone. */
  bytes(model: Model): number;
  compute(model: Model, making: Making): Promise<SelfTest>;
}
