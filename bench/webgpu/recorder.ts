/** A dispatch as a pass has encoded it. */
export interface RecordedDispatch {
  readonly name: string;
  encode(encoder: GPUComputePassEncoder): void;
}

/** What `encode` writes into a pass, dispatch by dispatch. */
export function recordDispatches(encode: (encoder: GPUComputePassEncoder) => void): RecordedDispatch[] {
  const recorded: RecordedDispatch[] = [];
  let pipeline: GPUComputePipeline;
  let bind: readonly [GPUBindGroup, number[]];
  const recorder = {
    setPipeline(next: GPUComputePipeline) {
      pipeline = next;
    },
    setBindGroup(_: number, ...next: typeof bind) {
      bind = next;
    },
    dispatchWorkgroups: (...groups: [number, number, number]) => {
      const [own, [group, offsets]] = [pipeline, bind];
      recorded.push({
        name: own.label,
        encode(encoder) {
          encoder.setPipeline(own);
          encoder.setBindGroup(0, group, offsets);
          encoder.dispatchWorkgroups(...groups);
        },
      });
    },
  };
  encode(recorder as unknown as GPUComputePassEncoder);
  return recorded;
}

/**
 * Milliseconds of processor time of one of `times` dispatches in a pass: what a GPU in software computes, in
 * this process, whoever else uses the machine.
 */
export async function timeDispatches(
  device: GPUDevice,
  dispatches: readonly RecordedDispatch[],
  times: number,
): Promise<number> {
  const commands = device.createCommandEncoder();
  const encoder = commands.beginComputePass();
  for (let i = 0; i < times; i++) for (const dispatch of dispatches) dispatch.encode(encoder);
  encoder.end();
  const buffer = commands.finish();
  const start = process.cpuUsage();
  device.queue.submit([buffer]);
  await device.queue.onSubmittedWorkDone();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / (1000 * times);
}
