import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * To be loaded before a program (`node --import`): after SIGINT it never gets done with removing a file, and
 * says that it has begun.
 */
process.once('SIGINT', () => {
  fs.promises.unlink = () => {
    fs.writeSync(2, 'removes\n');
    // Something has to keep the process alive.
    setInterval(() => {}, 1000);
    return new Promise(() => {});
  };
  syncBuiltinESMExports();
});
