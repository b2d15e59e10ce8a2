import { BlockList, isIP } from 'node:net';
import { hostname } from 'node:os';
import { usage } from '../core/errors.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Addresses that mean every interface of a machine. */
const ALL = ['0.0.0.0', '::'];
/** A name or an address with what may follow it; addresses of IPv6 stand in brackets. */
const HOST_HEADER = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[a-z0-9._-]+))(?::(?<port>\d{1,5}))?$/i;
/** The form of an address that a server can listen on. */
const LISTEN = /^[\w.:%-]+$/;

/**
 * The names that a `Host` header may have. Another site can make its own name resolve to this machine (DNS
 * rebinding). Its requests then carry that name and are refused. IP addresses cannot be redirected so.
 */
export class ServedHosts {
  readonly #name: string;
  readonly #isAll: boolean;

  /** `host`: the value of `--host`; `bound`: the address on which the server listens. */
  constructor(host: string, bound: string) {
    this.#name = plainName(host);
    this.#isAll = ALL.includes(bound);
  }

  /**
   * Whether a request for `host`, with or without a port, is for this server. It answers to loopback names
   * and to the value of `--host`; if that means every interface, to every address and the name of the
   * machine. Ports are not compared, since forwarding changes them. Undefined if `host` is not a host at all.
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
 * Checks the value of `--host`: Node takes an empty one to mean every interface.
 * @throws PressError usage if it is not a host.
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

/**
 * Names are the same in any case, and with the dot of the root behind them; addresses of IPv6 with as many
 * zeros as one likes.
 */
function plainName(name: string): string {
  if (isIP(name) === 6) return new URL(`http://[${name.replace(/%.*$/, '')}]/`).hostname.slice(1, -1);
  return name.toLowerCase().replace(/\.$/, '');
}
