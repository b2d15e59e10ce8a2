import { once } from 'node:events';
import { Command } from 'commander';
import { serveBundles } from '../../../serve/serve.ts';
import { parseInteger } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';

interface ServeFlags {
  readonly host: string;
  readonly port: number;
}

/** Always the same one: what browsers keep of a bundle belongs to host and port. */
const DEFAULT_PORT = 8765;
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

const HELP = `
The URL shows the chat page of the bundle, or a list if the folder holds several. Ctrl-C (SIGINT) and SIGTERM stop the
server with exit code 0.

The server answers requests whose Host header is a loopback name or the value of --host. With 0.0.0.0, it answers to all
addresses and to the name of this machine. Other requests are refused, because a page of another site could send them.
docs/webgpu.md says how other hosts serve bundles.

Examples:
  plmpress serve page/
  plmpress serve page/ --port 0`;

export function serveCommand(open: OpenSession): Command {
  return new Command('serve')
    .description('serve WebGPU bundles to browsers on this machine, until Ctrl-C')
    .argument('<dir>', 'folder of a WebGPU bundle, or of several')
    .option('--port <n>', 'port to listen on; 0: any free port', parseInteger(0, 65535), DEFAULT_PORT)
    .option(
      '--host <address>',
      'address to listen on; 0.0.0.0: also reachable from other machines',
      '127.0.0.1',
    )
    .addHelpText('after', helpText(HELP))
    .action(async (folder: string, { host, port }: ServeFlags) => {
      const session = open();
      const server = await serveBundles(folder, { host, port });
      try {
        if (session.json) await session.writeJson({ url: server.url });
        else await session.writeLines([server.url]);
        session.note('serving; press Ctrl-C to stop');
        if (!LOOPBACK.includes(host)) {
          session.note(
            'browsers on other machines have WebGPU only over https: put an https server in front of this one',
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
