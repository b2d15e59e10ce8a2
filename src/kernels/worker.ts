import { parentPort, workerData } from 'node:worker_threads';
import { Control } from './control.ts';
import { bufferOf, executor, type Workplace } from './executor.ts';
import { SharedViews } from './memory.ts';

/** A thread of the pool: takes part in every job until it is terminated. */
export interface WorkerStart extends Workplace {
  readonly thread: number;
}

const start = workerData as WorkerStart;
const control = new Control(new SharedViews(bufferOf(start)));
const execute = executor(start, start.thread);
parentPort!.postMessage('ready');

for (let generation = 0; ; ) {
  generation = control.awaitJob(generation);
  control.takePart(execute);
  control.leave();
}
