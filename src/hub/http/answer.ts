/** An answer whose body has not been read. */
export interface Answer {
  readonly response: Response;
  /** What the Hub calls the content that it leads to a store for, and what the server calls what it sends. */
  readonly etags: readonly [linked: string | null, own: string | null];
  /** Aborted when the connection is, from either side of this program. */
  readonly signal: AbortSignal;
  /** Ends the connection. */
  abort(reason: unknown): void;
}
