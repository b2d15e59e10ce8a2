/** The Cache API of a browser with a quota, by address of the request. */
export class FakeCaches {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>();
  quota = Number.POSITIVE_INFINITY;
  /** Nothing can be read. */
  broken = false;

  async open() {
    const { entries } = this;
    return {
      match: async (key: string) => {
        if (this.broken) throw new DOMException('gone', 'InvalidStateError');
        const bytes = entries.get(key);
        return bytes && new Response(bytes);
      },
      put: async (key: string, response: Response) => {
        const bytes = new Uint8Array(await response.arrayBuffer());
        const used = [...entries.values()].reduce((sum, { length }) => sum + length, 0);
        if (used + bytes.length > this.quota) throw new DOMException('no room', 'QuotaExceededError');
        entries.set(key, bytes);
      },
      delete: async (key: string) => entries.delete(key),
      keys: async () => [...entries.keys()].map((url) => ({ url })),
    };
  }
}
