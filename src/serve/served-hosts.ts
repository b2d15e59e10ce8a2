import { BlockList, isIP } from 'node:net';
import { hostname } from 'node:os';
import { usage } from '../core/errors.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Of the addresses that stand for all of a machine. */
const ALL = ['0.0.0.0', '::'];
/** A name or an address with what may follow it; addresses of IPv6 stand in brackets. */
const HOST_HEADER = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[a-z0-9._-]+))(?::(?<port>\d{1,5}))?$/i;
/** What a server can listen at. */
const LISTEN = /^[\w.:%-]+$/;

/**
 * What browsers may call a server in the `Host` header. A page of another site can have its own name lead to this machine (DNS
 * rebinding): its requests then come with that name, and are refused. Addresses cannot be made to lead elsewhere.
 */
export class ServedHosts {
  readonly #name: string;
  readonly #isAll: boolean;

  /** `host`: what the server was told to listen at; `bound`: the address where it does. */
  constructor(host: string, bound: string) {
    this.#name = plainName(host);
    this.#isAll = ALL.includes(bound);
  }

  /**
   * Whether a request that names `host`, with or without a port, is for this server: names of the loopback interface, and what the
   * server was told to listen at; where that is all of the machine, every address and the name of the machine. Ports are not
   * compared: forwarding changes them. Undefined for what is no host at all.
   */
  accepts(host: string): boolean | undefined {
    const { v6, name, port } = HOST_HEADER.exec(host)?.groups ?? {};
    if (v6 === undefined ? name === undefined : isIP(v6) !== 6) return undefined;
    if (Number(port ?? 0) > 65535) return undefined;
    const known = plainName(v6 ?? name!);
    return isLoopback(known) || known === this.#name || (this.#isAll && isOfMachine(known));
  }
}

/**
 * Makes sure that there is a host to listen at: Node takes an empty one for all of the machine.
 * @throws PressError usage where it is none.
 */
export function assertListenHost(host: string): void {
  if (LISTEN.test(host)) return;
  throw usage(
    `${JSON.stringify(host)} is not a host to listen on`,
    'an address or a name; 0.0.0.0 for all of this machine',
  );
}

function isLoopback(name: string): boolean {
  const version = isIP(name);
  if (version > 0) return LOOPBACK.check(name, version === 6 ? 'ipv6' : 'ipv4');
  return name === 'localhost' || name.endsWith('.localhost');
}

function isOfMachine(name: string): boolean {
  const own = plainName(hostname());
  return isIP(name) > 0 || name === own || name === `${own.split('.')[0]}.local`;
}

/** Names are the same in any case, and with the dot of the root behind them; addresses of IPv6 with as many zeros as one likes. */
function plainName(name: string): string {
  if (isIP(name) === 6) return new URL(`http://[${name.replace(/%.*$/, '')}]/`).hostname.slice(1, -1);
  return name.toLowerCase().replace(/\.$/, '');
}
