import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * To be loaded before a program (`node --import`): it stops (SIGSTOP) when it has opened a GGUF to write, and
 * says so before. A shell that looks for the file could come too late.
 */
const { open } = fs.promises;
let isStopped = false;
fs.promises.open = async (file, ...rest) => {
  const handle = await open(file, ...rest);
  if (!isStopped && `${file}`.includes('.gguf.tmp-')) {
    isStopped = true;
    fs.writeSync(1, 'stops\n');
    process.kill(process.pid, 'SIGSTOP');
  }
  return handle;
};
syncBuiltinESMExports();
