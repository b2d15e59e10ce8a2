/** Milliseconds between two signs of life of a run that holds a lock. */
export const BEAT = 15_000;
/**
 * Milliseconds without a sign of life after which a run that cannot be asked counts as ended. Long beside pauses of a
 * machine, outages of a network, and the minute for which NFS keeps what it knows of a file.
 */
export const LEASE = 300_000;
