import { once } from 'node:events';
import { Command } from 'commander';
import { serveBundles } from '../../../serve/serve.ts';
import { parseInteger } from '../../arguments.ts';
import type { OpenSession } from '../../session.ts';

interface ServeFlags {
  readonly host: string;
  readonly port: number;
}

/** Always the same one: what browsers keep of a bundle belongs to host and port. */
const DEFAULT_PORT = 8765;
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

const HELP = `
The address shows the chat page of the bundle, or a list where a folder holds several. Ctrl-C (SIGINT) and SIGTERM end the
server, with exit code 0. The server answers to the names of the loopback interface and to what --host says; where that is
0.0.0.0, to all addresses and the name of this machine. It refuses requests with another Host header, which a page of
another site could send. docs/webgpu.md says how other hosts serve bundles.

Examples:
  plmpress serve page/
  plmpress serve page/ --port 0`;

export function serveCommand(open: OpenSession): Command {
  return new Command('serve')
    .description('serve WebGPU bundles to browsers on this machine, until Ctrl-C')
    .argument('<dir>', 'bundle, or folder that holds bundles')
    .option('--port <n>', '0 takes one that is free', parseInteger(0, 65535), DEFAULT_PORT)
    .option('--host <address>', 'where to listen; 0.0.0.0 lets other machines in', '127.0.0.1')
    .addHelpText('after', HELP)
    .action(async (folder: string, { host, port }: ServeFlags) => {
      const session = open();
      const server = await serveBundles(folder, { host, port });
      try {
        if (session.json) await session.writeJson({ url: server.url });
        else await session.writeLines([server.url]);
        session.note('serving; Ctrl-C ends it');
        if (!LOOPBACK.includes(host)) {
          session.note(
            'browsers of other machines have no WebGPU on http: put a server with https before this one',
          );
        }
        // A server runs until it is stopped, so a signal is its regular end and not an interruption.
        if (!session.signal.aborted) await once(session.signal, 'abort');
        session.note('stopped');
      } finally {
        await server.close();
      }
    });
}
