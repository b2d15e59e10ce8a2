/** An answer whose body has not been read. */
export interface Answer {
  readonly response: Response;
  /** The ETag of the Hub for content that it redirects to a store, and the ETag of the sending server. */
  readonly etags: readonly [linked: string | null, own: string | null];
  /** Aborted when the connection is, from either side of this program. */
  readonly signal: AbortSignal;
  /** Ends the connection. */
  abort(reason: unknown): void;
}
